//! The shaders of some of the shipped models, as they were agreed: a change of the emitter shows in a review.
//!
//! `INSTA_UPDATE=always cargo test --test backends shaders` writes what is emitted now; read it before you commit it.

#[test]
fn a_network_that_is_written_once() {
    hnet::assert_shaders!("models/inr.hnet");
}

#[test]
fn a_mixture_of_experts() {
    hnet::assert_shaders!("models/moe.hnet");
}

#[test]
fn features_that_are_scaled_and_shifted() {
    hnet::assert_shaders!("models/film.hnet");
}

#[test]
fn a_network_for_each_sample() {
    hnet::assert_shaders!("models/per_sample.hnet");
}

#[test]
fn a_network_for_each_task() {
    hnet::assert_shaders!("models/task_digits.hnet");
}
