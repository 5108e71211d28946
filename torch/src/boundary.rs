//! The one place where libtorch's failures become ours.
//!
//! tch's plain methods panic on an error of libtorch; everything that uses them runs inside [`guard`], which turns a panic
//! into an [`Error`] and recognises the two that a user can do something about: memory, and a device that was lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use harness::{Error, Result};

/// The message of the last panic, as the hook saw it.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Runs `work`; `what` names it in the error. `remedy_memory` is what to try when memory runs out.
pub fn guard<T>(what: &str, remedy_memory: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("panicked without a message").to_owned();
        let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned();
        let place = info.location().map_or(String::new(), |l| format!(" ({}:{})", name(l.file()), l.line()));
        *LAST.lock().unwrap_or_else(|e| e.into_inner()) = one_line(&message) + &place;
    }));
    let result = catch_unwind(AssertUnwindSafe(work));
    drop(std::panic::take_hook());
    result.unwrap_or_else(|_| {
        let message = LAST.lock().unwrap_or_else(|e| e.into_inner()).clone();
        Err(translate(what, remedy_memory, &message))
    })
}

/// What libtorch says in its first line. Behind it stands a backtrace of C++, in Rust's spelling of a text: `Torch("…\\nframe #0: …")`.
fn one_line(message: &str) -> String {
    let message = message.trim_start_matches("called `Result::unwrap()` on an `Err` value: ");
    let inner = message.strip_prefix("Torch(\"").map(|inner| inner.strip_suffix("\")").unwrap_or(inner));
    let text = inner.map_or_else(|| message.to_owned(), |inner| inner.replace("\\n", "\n").replace("\\\"", "\""));
    let said = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    said.split(" Exception raised from ").next().unwrap_or(said).to_owned()
}

/// What CUDA says of a device that was lost or broke. Nothing that this process asks of it works any more.
const LOST: [&str; 6] =
    ["is lost", "busy or unavailable", "no cuda-capable device", "uncorrectable ecc", "unspecified launch failure", "launch timed out"];

/// What libtorch and oneDNN say where memory ran out.
const MEMORY: [&str; 5] =
    ["out of memory", "can't allocate memory", "defaultcpuallocator", "could not create a primitive", "std::bad_alloc"];

fn translate(what: &str, remedy_memory: &str, message: &str) -> Error {
    let lower = message.to_lowercase();
    let first = one_line(message);
    if MEMORY.iter().any(|words| lower.contains(words)) {
        return Error::run(format!("{what}: out of memory: {first}"), remedy_memory);
    }
    if LOST.iter().any(|words| lower.contains(words)) {
        return Error::environment(
            format!("{what}: the GPU was lost: {first}"),
            "see nvidia-smi and the kernel's log (dmesg); the same command goes on from the last checkpoint",
        );
    }
    Error::run(format!("{what}: {first}"), "this is a fault of the program or of libtorch; please report it with the log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_memory_names_its_remedy() {
        let e =
            guard("training", "a smaller batch", || -> Result<()> { panic!("CUDA out of memory. Tried to allocate 2 GiB") }).unwrap_err();
        assert!(e.what.contains("out of memory") && e.remedy == "a smaller batch", "{e}");
        let e = guard("training", "", || -> Result<()> { panic!("CUDA error: GPU is lost") }).unwrap_err();
        assert!(e.exit_code() == 3 && e.remedy.contains("nvidia-smi"), "{e}");
        let e = guard("training", "", || -> Result<()> {
            let _ = tch::Tensor::from_slice(&[1f32, 2.0]).view([3]);
            Ok(())
        })
        .unwrap_err();
        assert!(e.what.starts_with("training: ") && e.exit_code() == 1, "{e}");
        assert!(e.what.contains("shape '[3]' is invalid") && e.what.contains(".rs:"), "{e}");
        for private in ["frame #", "Exception raised", "\\n", "/home", ".cargo", "Torch("] {
            assert!(!e.what.contains(private), "{private}: {e}");
        }
        assert_eq!(e.what.lines().count(), 1);
        let e = guard("training", "less", || -> Result<()> { panic!("Torch(\"could not create a primitive\\nframe #0\")") }).unwrap_err();
        assert!(e.what.contains("out of memory: could not create a primitive") && e.remedy == "less", "{e}");
        assert_eq!(guard("fine", "", || Ok(7)).unwrap(), 7);
    }
}
