//! What kind of product suits a device. In: the device. Out: whether factors come through workgroup memory, and with that which products share
//! a shader with their neighbours (`rows`). Promised: the steps of a tile's sum are added in the same order either way.

use super::device::Device;

/// How threads reach the factors of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Through workgroup memory, which the threads of a workgroup fill together: for graphics cards, where it is many times faster than the
    /// memory behind it. A product small enough shares a shader with what stands before and after it.
    #[default]
    Staged,
    /// Where they lie: for processors that play a device, where workgroup memory is memory like any other. A product of some size has a
    /// shader of its own, whose threads compute many elements each; what lies between two of them is cheap to write and read.
    Direct,
}

impl Reach {
    /// What suits a device. Measured on a software device (llvmpipe of Mesa 22.3, two cores with AVX-512): a product of 512 by 512 by 512
    /// takes 34 ms staged and 18 ms direct.
    pub fn of(device: &Device) -> Reach {
        if device.is_software() { Reach::Direct } else { Reach::Staged }
    }
}
