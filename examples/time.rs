//! Times a model's first output on the CPU backend: `time MODEL --params F --inputs F [--set k=v].. [--threads N] [--seconds S] [--out F]`.
//!
//! Parameters and conditions are prepared once; what is timed is a run on the inputs. Prints one JSON line with the median and
//! the minimum in milliseconds. `benches/peers.py` drives it.

use hnet::pipeline;
use hnet::run::{archive::Archive, bind, inputs, params, session};
use hnet::source::Sources;
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let _ = (bind_marker, session_marker);
}
