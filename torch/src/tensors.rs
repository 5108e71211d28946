//! Tensors on their way: to and from the bytes of a safetensors file, and to a device.

use std::path::Path;

use harness::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

/// The bytes of a safetensors file that holds `tensors` in the given order.
pub fn to_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>> {
    let raw: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, t)| {
            let t = t.detach().to_device(Device::Cpu).contiguous();
            let dtype = dtype(t.kind()).ok_or_else(|| Error::run(format!("{name}: tensors of kind {:?} are not stored", t.kind()), ""))?;
            let mut bytes = vec![0u8; t.numel() * t.kind().elt_size_in_bytes()];
            t.copy_data_u8(&mut bytes, t.numel());
            Ok((name.clone(), dtype, t.size().iter().map(|&d| d as usize).collect(), bytes))
        })
        .collect::<Result<_>>()?;
    let views = raw.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).expect("shape and bytes are those of one tensor");
        (name.clone(), view)
    });
    safetensors::serialize(views, None).map_err(|e| Error::run(format!("cannot serialise tensors: {e}"), ""))
}

/// The tensors of a safetensors file, on the CPU; `path` is named in errors.
pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Vec<(String, Tensor)>> {
    let broken =
        |e: String| Error::environment(format!("{}: {e}", path.display()), format!("the file is damaged; {}", harness::error::AGAIN));
    let file = SafeTensors::deserialize(bytes).map_err(|e| broken(e.to_string()))?;
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let kind = kind(view.dtype()).ok_or_else(|| broken(format!("{name} has the unexpected type {:?}", view.dtype())))?;
            let shape: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
            Ok((name, Tensor::from_data_size(view.data(), &shape, kind)))
        })
        .collect()
}

/// The tensor of that name.
pub fn find(tensors: &[(String, Tensor)], name: &str) -> Option<Tensor> {
    tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t.shallow_clone())
}

/// A tensor of the CPU's memory on a device. To a GPU it goes from pinned memory, which libtorch keeps until it has arrived:
/// nothing waits.
pub fn upload(here: &Tensor, device: Device) -> Tensor {
    match device {
        // `pin_memory` itself would print, each time, that naming the device is deprecated.
        Device::Cuda(_) => here.internal_pin_memory(device).to_device_(device, here.kind(), true, false),
        _ => here.to_device(device),
    }
}

fn dtype(kind: Kind) -> Option<Dtype> {
    match kind {
        Kind::Float => Some(Dtype::F32),
        Kind::Double => Some(Dtype::F64),
        Kind::Int64 => Some(Dtype::I64),
        _ => None,
    }
}

fn kind(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F64 => Some(Kind::Double),
        Dtype::I64 => Some(Kind::Int64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back_as_they_went() {
        let strided = Tensor::from_slice(&[1f32, -0.0, 3.5, f32::MIN_POSITIVE, 5.0, 6.0]).view([2, 3]).tr();
        let wide = Tensor::from_slice(&[0.1f64, 1e-300]);
        let bytes = to_bytes(&[("a.weight".into(), strided.shallow_clone()), ("b".into(), wide.shallow_clone())]).unwrap();
        let back = from_bytes(&bytes, Path::new("x")).unwrap();
        assert!(find(&back, "a.weight").unwrap().equal(&strided) && find(&back, "b").unwrap().equal(&wide));
        assert!(from_bytes(&bytes[..20], Path::new("x")).unwrap_err().what.starts_with("x: "));
    }
}
