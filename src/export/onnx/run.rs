//! The finished run that is exported.

use crate::config::Config;
use crate::run::{Folder, Summary};

/// What is known of it.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub folder: &'a Folder,
    pub cfg: &'a Config,
    pub summary: &'a Summary,
}
