//! Whether a shader may run: naga's validation.

use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Parses and validates a module as wgpu does. Errors: naga's report, with the place in the shader.
pub fn validate(code: &str) -> Result<naga::Module, String> {
    let module = naga::front::wgsl::parse_str(code).map_err(|e| e.emit_to_string(code))?;
    Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).map_err(|e| e.emit_to_string(code))?;
    Ok(module)
}
