//! The `hnet` program; everything is in the library.

fn main() -> std::process::ExitCode {
    hnet::cli::main()
}
