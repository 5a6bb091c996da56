//! Words that a value may not be called in a shader.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Keywords and reserved words of WGSL, what it declares beforehand, and what every shader here declares.
const WORDS: &[&str] = &[
    // Keywords.
    "alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop override \
     requires return struct switch true var while",
    // Reserved for later.
    "NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class co_await \
     co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval constexpr constinit crate \
     debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export extends extern external fallthrough filter \
     final finally friend from fxgroup get goto groupshared highp impl implements import inline instanceof interface layout lowp macro \
     macro_rules match mediump meta mod module move mut mutable namespace new nil noexcept noinline nointerpolation non_coherent \
     noncoherent noperspective null nullptr of operator package packoffset partition pass patch pixelfragment precise precision \
     premerge priv protected pub public readonly ref regardless register reinterpret_cast require resource restrict self set shared \
     sizeof smooth snorm static static_assert static_cast std subroutine super target template this thread_local throw trait try type \
     typedef typeid typename typeof union unless unorm unsafe unsized use using varying virtual volatile wgsl where with writeonly \
     yield",
    // Types and enumerants.
    "array atomic bool f16 f32 i32 u32 ptr sampler sampler_comparison mat2x2 mat2x3 mat2x4 mat3x2 mat3x3 mat3x4 mat4x2 mat4x3 mat4x4 \
     vec2 vec3 vec4 vec2f vec3f vec4f vec2i vec3i vec4i vec2u vec3u vec4u vec2h vec3h vec4h read write read_write function private \
     workgroup uniform storage",
    // Functions.
    "abs acos acosh all any arrayLength asin asinh atan atan2 atanh bitcast ceil clamp cos cosh countLeadingZeros countOneBits \
     countTrailingZeros cross degrees determinant distance dot exp exp2 extractBits faceForward firstLeadingBit firstTrailingBit floor \
     fma fract frexp fwidth insertBits inverseSqrt ldexp length log log2 max min mix modf normalize pow quantizeToF16 radians reflect \
     refract reverseBits round saturate select sign sin sinh smoothstep sqrt step storageBarrier tan tanh textureBarrier transpose \
     trunc pack2x16float unpack2x16float pack2x16snorm unpack2x16snorm pack2x16unorm unpack2x16unorm pack4x8snorm pack4x8unorm \
     unpack4x8snorm unpack4x8unorm workgroupBarrier workgroupUniformLoad dpdx dpdy",
    // This emitter's own.
    "Sizes arena get_word put_word main lane s wg",
];

/// Whether a name is one of them.
pub(super) fn reserved(name: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.iter().flat_map(|list| list.split_whitespace()).collect());
    ALL.contains(name)
}
