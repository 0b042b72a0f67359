//! What an application needs of an image: nothing but that it is for this machine.

use crate::workload::image::{Facts, Image};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppImage(pub Image);

impl Facts for AppImage {
    const KEY: &'static str = "app1";
    fn image(&self) -> &Image {
        &self.0
    }
    fn image_mut(&mut self) -> &mut Image {
        &mut self.0
    }
}
