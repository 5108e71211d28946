//! How many runs at once, and on which devices.

use super::resolve::Resolved;
use crate::allowance::cores;
use crate::config::check_device;
use crate::{Error, Result, launcher};

/// `cpu` or `cuda`: the one kind of device that all runs are computed on. `devices` are those of the command line.
///
/// # Errors
/// Devices that are not valid or of two kinds; libtorch that cannot be asked.
pub fn device_kind(devices: &[String], resolved: &Resolved) -> Result<String> {
    devices.iter().try_for_each(|device| check_device("--devices", device))?;
    let kind = |device: &str| device.split(':').next().unwrap_or(device).to_owned();
    if let Some((first, other)) = devices.first().and_then(|first| Some((first, devices.iter().find(|d| kind(d) != kind(first))?))) {
        return Err(Error::config(
            format!("--devices: {first} and {other} are of two kinds"),
            "name CPU or GPUs: results of both do not belong in one table",
        ));
    }
    let configured = || resolved.rows.iter().find_map(|row| Some(row.config.as_ref()?.run.device.as_str()));
    launcher::device_kind(devices.first().map(String::as_str).or_else(configured).unwrap_or("auto"))
}

/// The most threads that a run takes.
pub fn threads(resolved: &Resolved) -> usize {
    resolved.rows.iter().filter_map(|row| Some(row.config.as_ref()?.run.threads)).max().unwrap_or(1).max(1)
}

/// The device of each slot: `jobs` of them, else as many as the cores or the devices allow.
///
/// # Errors
/// No slot at all.
pub fn slots(devices: &[String], jobs: Option<usize>, resolved: &Resolved, kind: &str) -> Result<Vec<String>> {
    let devices = match (devices.is_empty(), kind) {
        (false, _) => devices.to_vec(),
        (true, "cpu") => vec!["cpu".to_owned()],
        // One GPU that the configuration names, else the first.
        (true, _) => {
            let named =
                resolved.rows.iter().filter_map(|row| Some(row.config.as_ref()?.run.device.as_str())).find(|d| d.starts_with("cuda:"));
            vec![named.unwrap_or("cuda:0").to_owned()]
        }
    };
    let jobs = jobs.unwrap_or(if kind == "cpu" { (cores() / threads(resolved)).max(1) } else { devices.len() });
    if jobs == 0 {
        return Err(Error::config("--jobs 0 runs nothing", "use at least 1"));
    }
    Ok((0..jobs).map(|i| devices[i % devices.len()].clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn slots_share_the_devices_in_turn() {
        let resolved = example::resolved(example::ROWS, &["run.threads=1"]).unwrap();
        let of = |devices: &[&str], jobs| {
            let devices: Vec<String> = devices.iter().map(|d| d.to_string()).collect();
            let kind = devices.first().map_or("cuda", |d| d.split(':').next().unwrap());
            slots(&devices, jobs, &resolved, kind).unwrap()
        };
        assert_eq!(of(&["cuda:0", "cuda:1"], Some(3)), ["cuda:0", "cuda:1", "cuda:0"]);
        assert_eq!(of(&["cuda:0", "cuda:1"], None), ["cuda:0", "cuda:1"], "one for each device");
        assert_eq!(of(&["cpu"], None).len(), cores(), "one thread each");
        assert_eq!(of(&[], None), ["cuda:0"]);
        assert!(slots(&[], Some(0), &resolved, "cpu").unwrap_err().what.contains("--jobs 0"));
    }

    #[test]
    fn one_table_has_one_kind_of_device() {
        let resolved = example::resolved(example::ROWS, &[]).unwrap();
        let kind = |devices: &[&str]| device_kind(&devices.iter().map(|d| d.to_string()).collect::<Vec<_>>(), &resolved);
        assert_eq!(kind(&["cuda:0", "cuda:1"]).unwrap(), "cuda");
        assert!(kind(&["cpu", "cuda:0"]).unwrap_err().what.contains("two kinds"));
        assert!(kind(&["gpu"]).unwrap_err().what.contains("--devices"));
    }
}
