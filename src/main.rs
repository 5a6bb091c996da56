//! The `hnet` program; everything is in the library.

/// Where no memory is left, the program says so and ends with a code of its own.
#[global_allocator]
static MEMORY: hnet::cli::memory::Memory = hnet::cli::memory::Memory;

fn main() -> std::process::ExitCode {
    hnet::cli::main()
}
