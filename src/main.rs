//! The inonda program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    inonda::cli::main()
}
