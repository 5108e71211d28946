//! `harness-torch`: what `harness` executes for verbs that need tensors.

fn main() -> std::process::ExitCode {
    harness_torch::command::main()
}
