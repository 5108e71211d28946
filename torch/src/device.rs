//! From `run.device` to a device; CUDA's library is loaded only when it is asked for.

use std::process::Command;

use harness::run::env::Gpu;
use harness::{Error, Result};
use tch::Device;

/// Resolves `auto`, `cpu`, `cuda` or `cuda:N`. `auto` takes the first GPU if libtorch was installed with CUDA and sees one.
///
/// # Errors
/// `Kind::Environment` where a GPU is asked for by name and there is none.
pub fn resolve(requested: &str) -> Result<Device> {
    if requested == "cpu" {
        return Ok(Device::Cpu);
    }
    let loaded = load_cuda();
    let count = if loaded.is_ok() { tch::Cuda::device_count() } else { 0 };
    if requested == "auto" {
        return Ok(if count > 0 { Device::Cuda(0) } else { Device::Cpu });
    }
    let index: usize = requested
        .strip_prefix("cuda:")
        .map_or(Ok(0), str::parse)
        .map_err(|_| Error::config(format!("run.device: `{requested}` is not a valid device"), "use auto, cpu, cuda or cuda:N"))?;
    if (index as i64) < count {
        return Ok(Device::Cuda(index));
    }
    let (why, remedy) = match loaded {
        Err(missing) => missing.told(),
        Ok(()) if count == 0 => none_seen(std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref(), open_globally("libcuda.so.1").is_ok()),
        Ok(()) if count == 1 => ("libtorch sees one GPU".into(), "use cuda:0".into()),
        Ok(()) => (format!("libtorch sees {count} GPUs"), format!("use cuda:0 to cuda:{}", count - 1)),
    };
    Err(Error::environment(format!("device {requested} was not found: {why}"), remedy))
}

/// Why libtorch sees no GPU, and the way out: by CUDA_VISIBLE_DEVICES, and whether the driver's library is there.
fn none_seen(visible: Option<&str>, driver: bool) -> (String, String) {
    match (driver, visible) {
        (false, _) => ("NVIDIA's driver is not there (libcuda.so.1)".into(), "install the driver of the GPU, or use --device cpu".into()),
        (true, Some(list)) => (
            format!("libtorch sees no GPU, and CUDA_VISIBLE_DEVICES is `{list}`"),
            "unset CUDA_VISIBLE_DEVICES or list GPUs of `nvidia-smi -L` in it, or use --device cpu".into(),
        ),
        (true, None) => (
            "NVIDIA's driver is there, but libtorch sees no GPU".into(),
            "see what `nvidia-smi` says: libtorch 2.11.0 needs a driver for CUDA 13; or use --device cpu".into(),
        ),
    }
}

/// `cpu` or `cuda`: what a run's identity depends on.
pub fn kind(device: Device) -> &'static str {
    if device.is_cuda() { "cuda" } else { "cpu" }
}

/// The name by which people know a device.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(n) => format!("cuda:{n}"),
        _ => "cpu".into(),
    }
}

/// Has cuDNN measure its algorithms, which pays where sizes repeat. On a CPU nothing is to be set.
pub fn prepare(device: Device) {
    if device.is_cuda() {
        tch::Cuda::cudnn_set_benchmark(true);
    }
}

/// Whether float32 convolutions round to TF32: on a GPU they do, unless NVIDIA's own variable tells its libraries not to.
pub fn rounds_to_tf32(device: Device) -> bool {
    device.is_cuda() && std::env::var("NVIDIA_TF32_OVERRIDE").as_deref() != Ok("0")
}

/// What env.json says of a device: its name (`cpu`, a GPU's own, or `cuda:N` where that is unknown) and the rest of a GPU.
pub fn describe(device: Device) -> (String, Option<Gpu>) {
    let Device::Cuda(n) = device else { return (name(device), None) };
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let asked = Command::new("nvidia-smi")
        .args(["--query-gpu=name,driver_version", "--format=csv,noheader", "-i", &physical(visible.as_deref(), n)])
        .output();
    let said = asked.ok().filter(|output| output.status.success()).map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let (called, driver) = said.as_deref().and_then(|line| line.trim().rsplit_once(", ")).unzip();
    let gpu = Gpu {
        place: name(device),
        driver: driver.map(str::to_owned),
        cudnn: tch::Cuda::cudnn_is_available().then(tch::utils::version_cudnn),
        cudnn_benchmark: true,
        tf32: rounds_to_tf32(device),
    };
    (called.map_or_else(|| name(device), str::to_owned), Some(gpu))
}

/// The index or UUID by which nvidia-smi knows the process's GPU `n`; `visible` is CUDA_VISIBLE_DEVICES.
fn physical(visible: Option<&str>, n: usize) -> String {
    let listed = visible.and_then(|list| list.split(',').nth(n)).map(str::trim).filter(|one| !one.is_empty());
    listed.map_or_else(|| n.to_string(), str::to_owned)
}

/// Why libtorch's CUDA half is not in the process.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    /// Its file is nowhere.
    File,
    /// The file is there and something that it needs is not; the loader's words.
    Needs(String),
}

impl Missing {
    /// From what the loader said of each file that was tried.
    fn of(tried: &[(String, String)]) -> Self {
        // The loader names the file that it could not open: the one asked for, or one that this needs.
        let needs = tried.iter().find(|(path, said)| !said.starts_with(path.as_str()));
        needs.map_or(Missing::File, |(_, said)| Missing::Needs(said.clone()))
    }

    /// What happened, and the way out.
    fn told(&self) -> (String, String) {
        match self {
            Missing::File => {
                ("this libtorch was installed without CUDA".into(), "`just setup-cuda` installs it with CUDA; or use --device cpu".into())
            }
            Missing::Needs(said) => (
                format!("libtorch's CUDA part cannot be loaded ({said})"),
                "`just setup-cuda` installs all that it needs; another libtorch may want its libraries on LD_LIBRARY_PATH".into(),
            ),
        }
    }
}

/// Loads libtorch's CUDA half into the process with its symbols visible to all, which is what makes it register itself.
/// The one built against is looked for first, then whatever the loader finds.
fn load_cuda() -> Result<(), Missing> {
    let file = "libtorch_cuda.so";
    let built = option_env!("HARNESS_LIBTORCH_LIB").map(|lib| format!("{lib}/{file}"));
    let mut tried = vec![];
    for path in built.iter().map(String::as_str).chain([file]) {
        match open_globally(path) {
            Ok(()) => return Ok(()),
            Err(said) => tried.push((path.to_owned(), said)),
        }
    }
    Err(Missing::of(&tried))
}

#[cfg(unix)]
fn open_globally(path: &str) -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: libtorch_cuda's initialisers only register kernels and devices; it stays loaded for the life of the process.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map_err(said)?;
    std::mem::forget(library);
    Ok(())
}

/// The loader's own words, which libloading keeps below its own.
#[cfg(unix)]
fn said(error: libloading::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(not(unix))]
fn open_globally(_: &str) -> Result<(), String> {
    Err("loading it is built for Linux only".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_resolve_or_say_why_not() {
        assert_eq!(resolve("cpu").unwrap(), Device::Cpu);
        assert!(resolve("auto").is_ok());
        assert!(resolve("cuda:99").unwrap_err().what.contains("cuda:99"));
    }

    #[test]
    fn why_there_is_no_gpu_is_told_with_the_way_out() {
        let tried = |said: [&str; 2]| {
            ["/built/libtorch_cuda.so", "libtorch_cuda.so"].map(str::to_owned).into_iter().zip(said.map(str::to_owned)).collect::<Vec<_>>()
        };
        let none = "libtorch_cuda.so: cannot open shared object file";
        assert_eq!(Missing::of(&tried(["/built/libtorch_cuda.so: cannot open shared object file", none])), Missing::File);
        let broken = Missing::of(&tried(["libcublas.so.13: cannot open shared object file", none]));
        assert!(broken.told().0.contains("libcublas.so.13"), "{broken:?}");
        for (visible, driver, what) in [(None, false, "libcuda.so.1"), (Some("7"), true, "`7`"), (None, true, "driver is there")] {
            let (why, remedy) = none_seen(visible, driver);
            assert!(why.contains(what) && remedy.contains("--device cpu"), "{why}: {remedy}");
        }
    }

    #[test]
    fn the_loader_names_the_file_that_it_could_not_open() {
        // `Missing::of` rests on it.
        let said = open_globally("libharness-has-no-such-file.so").unwrap_err();
        assert!(said.starts_with("libharness-has-no-such-file.so"), "{said}");
    }

    #[test]
    fn a_gpu_is_asked_for_by_the_name_that_the_driver_knows() {
        assert_eq!(physical(None, 2), "2");
        assert_eq!(physical(Some(""), 0), "0");
        assert_eq!(physical(Some("3, 1"), 1), "1");
        assert_eq!(physical(Some("GPU-5ebe9f43,GPU-ac33420d"), 0), "GPU-5ebe9f43");
    }

    #[test]
    fn a_cpu_is_described_without_a_word_on_gpus() {
        assert_eq!(describe(Device::Cpu), ("cpu".into(), None));
        assert!(!rounds_to_tf32(Device::Cpu));
    }
}
