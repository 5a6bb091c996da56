use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let code = std::fs::read_to_string(&a[1]).unwrap();
    let groups: u32 = a[2].parse().unwrap();
    let n: usize = 512;
    pollster::block_on(async {
        let mut d = wgpu::InstanceDescriptor::new_without_display_handle();
        d.backends = wgpu::Backends::PRIMARY;
        let instance = wgpu::Instance::new(d);
        let adapter = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await.into_iter().next().unwrap();
        let (dev, q) = adapter
            .request_device(&wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() })
            .await
            .unwrap();
        let module =
            dev.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(code.into()) });
        let p = dev.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        let f = |k: u32| -> Vec<f32> {
            (0..n * n)
                .map(|i| (((i as u32).wrapping_mul(2654435761).wrapping_add(k * 77777)) >> 8) as f32 / (1 << 24) as f32 - 0.5)
                .collect()
        };
        let (x, y) = (f(1), f(2));
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let mk = |data: &[f32]| {
            let b = dev.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: (n * n * 4) as u64,
                usage,
                mapped_at_creation: false,
            });
            q.write_buffer(&b, 0, bytemuck::cast_slice(data));
            b
        };
        let (bx, by, bo) = (mk(&x), mk(&y), mk(&x));
        let entries: Vec<_> = [&bx, &by, &bo]
            .iter()
            .enumerate()
            .map(|(i, b)| wgpu::BindGroupEntry { binding: i as u32 + 1, resource: b.as_entire_binding() })
            .collect();
        let bg = dev.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &p.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut times = vec![];
        for _ in 0..9 {
            let t = Instant::now();
            let mut e = dev.create_command_encoder(&Default::default());
            {
                let mut pass = e.begin_compute_pass(&Default::default());
                pass.set_pipeline(&p);
                pass.set_bind_group(0, &bg, &[]);
                pass.dispatch_workgroups(groups, 1, 1);
            }
            q.submit([e.finish()]);
            dev.poll(wgpu::PollType::wait_indefinitely()).unwrap();
            times.push(t.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let rb = dev.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: (n * n * 4) as u64,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut e = dev.create_command_encoder(&Default::default());
        e.copy_buffer_to_buffer(&bo, 0, &rb, 0, (n * n * 4) as u64);
        q.submit([e.finish()]);
        rb.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        dev.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let got: Vec<f32> = bytemuck::cast_slice(&rb.slice(..).get_mapped_range().unwrap()).to_vec();
        let mut worst = 0f64;
        for (i, j) in [(0, 0), (5, 7), (100, 300), (511, 511), (63, 64), (128, 127)] {
            let want: f64 = (0..n).map(|k| x[i * n + k] as f64 * y[k * n + j] as f64).sum();
            worst = worst.max((want - got[i * n + j] as f64).abs());
        }
        println!("{:.1} ms median, {:.1} min; err {:.1e}", times[4], times[0], worst);
    });
}
