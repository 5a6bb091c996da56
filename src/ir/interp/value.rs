//! Values of the interpreter, and the account of how much memory they hold.

use crate::ir::DType;
use crate::ir::{Data, Tensor};
use std::cell::Cell;
use std::rc::Rc;

/// Counts the bytes of all live values.
#[derive(Debug)]
pub struct Meter {
    live: Cell<usize>,
    limit: usize,
}

impl Meter {
    /// No more than `limit` bytes.
    pub fn new(limit: usize) -> Rc<Meter> {
        Rc::new(Meter { live: Cell::new(0), limit })
    }

    /// Takes room for a value; the error is how many bytes would be live.
    pub fn take(self: &Rc<Meter>, shape: &[usize]) -> Result<Room, f64> {
        let live = self.live.get();
        let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        let wanted = elements.and_then(|n| n.checked_mul(size_of::<f64>()));
        match wanted.and_then(|w| w.checked_add(live)).filter(|total| *total <= self.limit) {
            Some(total) => {
                self.live.set(total);
                Ok(Room { meter: self.clone(), bytes: total - live })
            }
            None => Err(live as f64 + 8.0 * shape.iter().map(|d| *d as f64).product::<f64>()),
        }
    }
}

/// Room that a value takes; given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    meter: Rc<Meter>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.meter.live.set(self.meter.live.get() - self.bytes);
    }
}

/// A dense value, row-major. Whole numbers and bools are held exactly.
#[derive(Debug)]
pub struct Value {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
    pub _room: Room,
}

impl Value {
    /// As others see it: f64 for f32.
    pub fn to_tensor(&self) -> Tensor {
        let data = match self.dtype {
            DType::F32 => Data::F64(self.data.clone()),
            DType::I32 => Data::I32(self.data.iter().map(|x| *x as i32).collect()),
            DType::Bool => Data::Bool(self.data.iter().map(|x| u8::from(*x != 0.0)).collect()),
        };
        Tensor::new(self.shape.clone(), data)
    }
}
