//! A model for people and programs: as a picture, as JSON.
//!
//! In: a checked [`Model`](crate::check::Model). Out: [`facts`], the typed interface; [`scene`], boxes and edges, which [`layout`]
//! places and [`svg`] or [`dot`] writes; `raster` makes PNG and PDF of the former. Promised: the same model gives the same bytes.

pub mod bars;
pub mod dot;
pub mod facts;
pub mod flow;
pub mod layers;
pub mod layout;
#[cfg(feature = "pictures")]
pub mod raster;
pub mod scene;
pub mod svg;

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
