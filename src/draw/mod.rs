//! A model for people: as text, as a picture.
//!
//! In: a checked [`Model`](crate::check::Model). Out: [`text`], the typed interface; [`scene`], boxes and edges, which [`layout`]
//! places and [`svg`] or [`dot`] writes. Promised: the same model gives the same bytes.

pub mod dot;
pub mod flow;
pub mod layers;
pub mod layout;
pub mod scene;
pub mod svg;
pub mod text;

use crate::check::model::Model;

/// The picture as SVG.
pub fn to_svg(model: &Model) -> String {
    let scene = scene::Scene::of(model);
    svg::write(&scene, &layout::place(&scene))
}

/// The picture for Graphviz.
pub fn to_dot(model: &Model) -> String {
    dot::write(&scene::Scene::of(model))
}
