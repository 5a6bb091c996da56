//! The graphics backend: a plan becomes shaders in WGSL and a list of dispatches, which a device runs without reading anything back.
//!
//! ```text
//! plan ─flatten→ works ─group→ works that share a workgroup ─wgsl→ Program ─┬→ engine (wgpu)
//!                                                                          └→ web bundle, snapshots
//! ```
//!
//! A [`Program`] is symbolic in the free dims: a shader takes those of its sizes that are unknown from a uniform block. Every
//! buffer is a range of one arena ([`arena`]), bound `read_write` at an aligned offset; ranges that are alive together are
//! disjoint, so no dispatch sees one word under two names.

mod absorb;
pub mod arena;
pub mod check;
mod choose;
mod device;
mod fit;
mod flatten;
mod locate;
mod long;
mod peak;
mod placed;
pub mod program;
mod reach;
mod repeats;
mod rows;
mod split;
mod stage;
mod text;
mod wgsl;

pub use device::{Device, DeviceOptions};
pub use fit::{Options, decided, fit};
pub use locate::locator;
pub use peak::Peak;
pub(crate) use placed::Placed;
pub use placed::Timed;
pub use program::{Buffer, Dispatch, Grid, Item, Kind, Program, Shader};
pub use reach::Reach;
pub use wgsl::{Choice, Locate, emit, emit_with};
