//! A device: found once, with all the room that its adapter allows, and the pipelines that were made for it.

use super::peak::Peak;
use super::program::{BINDINGS, Shader};
use crate::diag::{Code, Diagnostic};
use crate::plan::measured::gpu::PIPELINES;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

/// Which device is wanted.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Part of the adapter's name; none: the fastest.
    pub name: Option<String>,
    /// Whether times are measured.
    pub profile: bool,
    /// No processor that plays a device.
    pub hardware: bool,
}

/// A device ready to run shaders.
pub struct Device {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: wgpu::AdapterInfo,
    pub limits: wgpu::Limits,
    /// Nanoseconds of one tick of the device's clock, where it has one.
    pub tick: Option<f32>,
    /// What went wrong outside of any call.
    faults: Arc<Mutex<Vec<String>>>,
    pipelines: Mutex<HashMap<(String, usize, bool), Arc<wgpu::ComputePipeline>>>,
    pub(super) peak: OnceLock<Result<Peak, Diagnostic>>,
}

fn none(why: &str) -> Diagnostic {
    Diagnostic::plain(Code::H0901, format!("there is no GPU to run on: {why}"))
        .help("run on the CPU with `--backend cpu`; a software device comes with Mesa (`mesa-vulkan-drivers` on Debian)")
}

/// Whether this process may have so little memory that a driver would give up, and end the whole process: nobody asks one then.
#[cfg(target_os = "linux")]
fn little_room() -> bool {
    rustix::process::getrlimit(rustix::process::Resource::As).current.is_some_and(|bytes| bytes < 4 << 30)
}

#[cfg(not(target_os = "linux"))]
fn little_room() -> bool {
    false
}

/// The device of this process.
static SHARED: OnceLock<Result<Arc<Device>, Diagnostic>> = OnceLock::new();

impl Device {
    /// The device that all of this process shares, opened when it is first asked for; it can measure times where it has a clock.
    /// Errors: as [`Device::open`].
    pub fn shared() -> Result<Arc<Device>, Diagnostic> {
        SHARED.get_or_init(|| Device::open(&DeviceOptions { profile: true, ..DeviceOptions::default() })).clone()
    }

    /// The device of this process where it is more than a processor that plays one; a look, and nothing is opened otherwise.
    pub fn hardware() -> Option<Arc<Device>> {
        static FOUND: OnceLock<Option<Arc<Device>>> = OnceLock::new();
        let find = || match SHARED.get() {
            Some(shared) => shared.clone().ok().filter(|d| !d.is_software()),
            None => {
                let found = Device::open(&DeviceOptions { profile: true, hardware: true, ..DeviceOptions::default() }).ok()?;
                Some(SHARED.get_or_init(|| Ok(found.clone())).clone().unwrap_or(found))
            }
        };
        FOUND.get_or_init(find).clone()
    }

    /// Whether it is a processor that plays a device.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Opens a device. Errors: there is none, it refuses, or this process may have too little memory to ask its driver.
    pub fn open(options: &DeviceOptions) -> Result<Arc<Device>, Diagnostic> {
        if little_room() {
            let why = "there is no GPU to run on: drivers need more memory than this process may have";
            return Err(
                Diagnostic::plain(Code::H0901, why).help("allow it more (`ulimit -v unlimited`), or run with `--backend cpu`")
            );
        }
        pollster::block_on(Device::find(options))
    }

    async fn find(options: &DeviceOptions) -> Result<Arc<Device>, Diagnostic> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::PRIMARY;
        // Driver messages on the standard error are not for users.
        descriptor.flags = wgpu::InstanceFlags::empty();
        let instance = wgpu::Instance::new(descriptor);
        let mut adapters = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
        let rank = |a: &wgpu::Adapter| match a.get_info().device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        };
        adapters.retain(|a| !options.hardware || a.get_info().device_type != wgpu::DeviceType::Cpu);
        adapters.sort_by_key(rank);
        let names: Vec<String> = adapters.iter().map(|a| a.get_info().name).collect();
        let wanted = |a: &wgpu::Adapter| match &options.name {
            Some(n) => a.get_info().name.to_lowercase().contains(&n.to_lowercase()),
            None => true,
        };
        let Some(adapter) = adapters.into_iter().find(wanted) else {
            return Err(match &options.name {
                Some(n) if !names.is_empty() => none(&format!("none is called `{n}`; there is {}", names.join(", "))),
                _ => none("no Vulkan, Metal or DirectX 12 device was found"),
            });
        };
        let limits = adapter.limits();
        let clock = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        let features = if options.profile { adapter.features() & clock } else { wgpu::Features::empty() };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("hnet"),
            required_features: features,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|e| none(&e.to_string()))?;
        let faults = Arc::new(Mutex::new(Vec::new()));
        let note = faults.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| note.lock().expect("no panic holds it").push(e.to_string())));
        let note = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                note.lock().expect("no panic holds it").push(format!("the device was lost: {message}"));
            }
        });
        let tick = features.contains(clock).then(|| queue.get_timestamp_period());
        let info = adapter.get_info();
        Ok(Arc::new(Device { device, queue, info, limits, tick, faults, pipelines: Mutex::default(), peak: OnceLock::new() }))
    }

    /// What it is called, and by which driver it runs.
    pub fn describe(&self) -> String {
        let kind = if self.info.device_type == wgpu::DeviceType::Cpu { ", in software" } else { "" };
        format!("{} ({:?}{kind})", self.info.name, self.info.backend)
    }

    /// An error that the device reported since the last question.
    pub fn fault(&self) -> Result<(), Diagnostic> {
        let faults = std::mem::take(&mut *self.faults.lock().expect("no panic holds it"));
        match faults.first() {
            None => Ok(()),
            Some(first) => Err(Diagnostic::plain(Code::H0903, format!("{} gave up: {first}", self.info.name))
                .help("run it again, or on the CPU with `--backend cpu`")),
        }
    }

    /// The layout of a shader's bindings: a block of sizes or none, then storage buffers.
    pub fn layout(&self, bindings: usize, uniform: bool) -> wgpu::BindGroupLayout {
        let entry = |binding: usize, ty: wgpu::BufferBindingType| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let sizes = if self.stores_sizes() {
            wgpu::BufferBindingType::Storage { read_only: true }
        } else {
            wgpu::BufferBindingType::Uniform
        };
        let uniform = uniform.then(|| entry(0, sizes));
        let storage = (1..=bindings).map(|n| entry(n, wgpu::BufferBindingType::Storage { read_only: false }));
        let entries: Vec<_> = uniform.into_iter().chain(storage).collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }

    /// Whether sizes lie in a storage buffer. Mesa's software device makes a shader anew for each dispatch whose uniforms decide loops, with their
    /// values in it, which takes hundreds of milliseconds; what lies in a storage buffer it does not look at.
    fn stores_sizes(&self) -> bool {
        self.is_software() && self.limits.max_storage_buffers_per_shader_stage as usize > BINDINGS
    }

    /// A shader's text as this device takes it.
    fn suited<'s>(&self, code: &'s str) -> Cow<'s, str> {
        match self.stores_sizes() {
            true => code.replacen("var<uniform> s: Sizes;", "var<storage, read> s: Sizes;", 1).into(),
            false => code.into(),
        }
    }

    /// The pipeline of a shader, made once.
    pub fn pipeline(&self, shader: &Shader, bindings: usize, uniform: bool) -> Arc<wgpu::ComputePipeline> {
        let name = shader.name.as_str();
        let key = (shader.read().to_string(), bindings, uniform);
        if let Some(known) = self.pipelines.lock().expect("no panic holds it").get(&key) {
            return known.clone();
        }
        let layout = self.layout(bindings, uniform);
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(self.suited(&shader.code)),
        });
        let pipeline = Arc::new(self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        }));
        let mut known = self.pipelines.lock().expect("no panic holds it");
        // Who uses one keeps it; a process that goes through many models does not keep all of theirs.
        if known.len() >= PIPELINES {
            known.clear();
        }
        known.insert(key, pipeline.clone());
        pipeline
    }
}
