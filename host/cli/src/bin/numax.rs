//! `numax`.

fn main() -> std::process::ExitCode {
    numax_cli::main()
}
