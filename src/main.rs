//! `harness`: what people type. Free of libtorch; starts `harness-torch` where tensors are needed.

fn main() -> std::process::ExitCode {
    harness::cli::main()
}
