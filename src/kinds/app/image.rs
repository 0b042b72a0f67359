//! What an application needs of an image: that it is for this machine, and how its process is started.

use crate::workload::image::{Facts, Image};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppImage {
    pub work: Image,
    pub entrypoint: Vec<String>,
}

impl Facts for AppImage {
    const KEY: &'static str = "app1";
    fn image(&self) -> &Image {
        &self.work
    }
    fn image_mut(&mut self) -> &mut Image {
        &mut self.work
    }
}
