//! What is trained of a network's parameters, and what a checkpoint and a finished run keep of them.

use harness::{Error, Result};
use tch::Tensor;

use super::Params;

impl Params {
    /// What an optimiser updates, by name.
    pub fn trained(&self) -> Vec<(String, Tensor)> {
        self.trained_weights().map(|p| (p.name.clone(), p.tensor.shallow_clone())).collect()
    }

    /// Everything that training changes, by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.iter().filter(|p| p.trained).map(|p| (p.name.clone(), p.tensor.shallow_clone())).collect()
    }

    /// Puts back what [`Params::state`] gave, in place.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape: it belongs to another configuration or version.
    pub fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for p in self.iter().filter(|p| p.trained) {
            let stored = get(&p.name).filter(|t| t.size() == p.tensor.size()).ok_or_else(|| {
                let remedy = "it belongs to another configuration or version; start over with --force";
                Error::environment(format!("the stored weights lack `{}` {:?}", p.name, p.tensor.size()), remedy)
            })?;
            p.tensor.shallow_clone().copy_(&stored);
        }
        Ok(())
    }
}
