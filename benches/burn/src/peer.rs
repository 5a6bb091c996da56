//! burn's side: a device of its own on the same adapter, and a function on tensors that lie there.

use crate::Result;
use crate::timing::Side;
use burn::tensor::wgpu::wgpu::AdapterInfo;
use burn::tensor::{Device, Tensor, TensorData};

pub const VERSION: &str = "burn 0.22.1, wgpu (WGSL), fusion, autotune";

pub struct Burn {
    pub device: Device,
    pub info: AdapterInfo,
}

impl Burn {
    pub fn open() -> Result<Burn> {
        let (device, setup) = Device::wgpu_options().init_with_setup()?;
        Ok(Burn { device, info: setup.adapter.get_info() })
    }

    /// Uploads `(numbers, shape)`.
    pub fn tensor<const D: usize>(&self, (numbers, shape): (&[f32], &[usize])) -> Tensor<D> {
        Tensor::from_data(TensorData::new(numbers.to_vec(), shape), &self.device)
    }
}

type Compute = Box<dyn Fn(Tensor<2>) -> Result<Tensor<2>>>;

/// One way to write a workload with burn.
pub struct Peer {
    name: &'static str,
    device: Device,
    plain: (Vec<f32>, Vec<usize>),
    uploaded: Tensor<2>,
    compute: Compute,
}

impl Peer {
    pub fn new(
        name: &'static str,
        burn: &Burn,
        input: (&[f32], &[usize]),
        compute: impl Fn(Tensor<2>) -> Result<Tensor<2>> + 'static,
    ) -> Peer {
        Peer {
            name,
            device: burn.device.clone(),
            plain: (input.0.to_vec(), input.1.to_vec()),
            uploaded: burn.tensor(input),
            compute: Box::new(compute),
        }
    }
}

impl Side for Peer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self) -> Result<()> {
        // The result is held until all is done: work for a tensor that is gone might be left out.
        let result = (self.compute)(self.uploaded.clone())?;
        self.device.sync().map_err(|e| format!("burn: {e:?}"))?;
        drop(result);
        Ok(())
    }

    fn with_transfers(&mut self) -> Result<Vec<f32>> {
        let (numbers, shape) = &self.plain;
        let input = Tensor::from_data(TensorData::new(numbers.clone(), shape.as_slice()), &self.device);
        (self.compute)(input)?.try_into_vec_as().map_err(|e| format!("burn: {e:?}").into())
    }
}
