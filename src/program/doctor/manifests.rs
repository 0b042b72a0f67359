//! Whether the manifests are good, and what they run is here.

use super::check;
use crate::cli::backend::Check;
use crate::control::validate::{Report, validate};
use crate::core::condition::Truth;
use crate::core::image_ref::ImageReference;
use crate::docker::Docker;
use std::collections::BTreeSet;
use std::path::Path;

/// Images that are named.
const NAMED: usize = 5;

/// Of this directory; `None`: nobody said which.
pub(super) async fn manifests(dir: Option<&Path>, docker: Option<&dyn Docker>, list: &mut Vec<Check>) {
    let Some(dir) = dir else {
        let next = "name their directory with --manifests, or call it ./manifests";
        list.push(check("manifests", Truth::Unknown, "nobody says where they are", next));
        return;
    };
    let path = dir.to_owned();
    let Ok(found) = tokio::task::spawn_blocking(move || validate(&path)).await else { return };
    match found {
        Err(error) => list.push(check("manifests", Truth::False, error.what, &error.next)),
        Ok(report) => {
            list.push(judged(dir, &report));
            if let Some(docker) = docker {
                images(docker, &report.images, list).await;
            }
        }
    }
}

fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn judged(dir: &Path, report: &Report) -> Check {
    let at = dir.display();
    let validate = format!("seawall validate {at}");
    match report.problems.as_slice() {
        [] if report.files == 0 => {
            let next = "write one; README, \"Quick start\"";
            check("manifests", Truth::Unknown, format!("there is no manifest in {at}"), next)
        }
        [] => {
            let words =
                format!("{} in {} in {at}", count(report.objects, "object"), count(report.files, "file"));
            check("manifests", Truth::True, words, "")
        }
        [one] => check("manifests", Truth::False, one.to_string(), &validate),
        [first, rest @ ..] => {
            let words = format!("{first} (and {} more)", rest.len());
            check("manifests", Truth::False, words, &format!("{validate} shows all"))
        }
    }
}

async fn images(docker: &dyn Docker, images: &BTreeSet<ImageReference>, list: &mut Vec<Check>) {
    let mut missing = Vec::new();
    for image in images {
        match docker.image(image.as_str()).await {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(format!("{image} ({})", image.origin())),
            Err(error) => return list.push(check("images", Truth::Unknown, error.to_string(), "")),
        }
    }
    if missing.is_empty() {
        if !images.is_empty() {
            let words = format!("{} named, here already", count(images.len(), "image"));
            list.push(check("images", Truth::True, words, ""));
        }
        return;
    }
    let more = missing.len().saturating_sub(NAMED);
    missing.truncate(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let words = format!("not here yet: {}{more}", missing.join(", "));
    // Whether a registry lets us have them only the pull tells.
    list.push(check("images", Truth::Unknown, words, "`seawall run` pulls them; docker pull IMAGE tries it"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::seen::SeenImage;
    use crate::docker::fake::FakeDocker;

    async fn said(text: Option<&str>, here: &[&str]) -> Vec<(String, Truth, String, String)> {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            std::fs::write(dir.path().join("a.yaml"), text).unwrap();
        }
        let fake = FakeDocker::new();
        for image in here {
            fake.add_image(SeenImage { tags: vec![(*image).to_owned()], ..SeenImage::default() });
        }
        let mut list = Vec::new();
        manifests(Some(dir.path()), Some(&fake), &mut list).await;
        list.into_iter().map(|c| (c.name, c.ok, c.message, c.next)).collect()
    }

    const GOOD: &str =
        "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: a}\nspec: {version: '18'}\n";

    #[tokio::test]
    async fn manifests_and_images_are_looked_at() {
        let image = "gotempsh/postgres-walg:18-bookworm";
        let all = said(Some(GOOD), &[image]).await;
        assert_eq!(
            (all[0].1, all[1].1, all[1].2.as_str()),
            (Truth::True, Truth::True, "1 image named, here already")
        );
        assert!(all[0].2.starts_with("1 object in 1 file in "), "{all:?}");
        let all = said(Some(GOOD), &[]).await;
        let want = format!("not here yet: {image} (from docker.io, by gotempsh)");
        assert_eq!((all[1].1, &all[1].2), (Truth::Unknown, &want));
        // A second document, with two mistakes.
        let bad =
            format!("{GOOD}---\n{}", GOOD.replace("{name: a}", "{name: b}").replace("version", "vresion"));
        let all = said(Some(&bad), &[image]).await;
        assert!(all[0].1 == Truth::False && all[0].2.contains("a.yaml:"), "{all:?}");
        assert!(all[0].3.starts_with("seawall validate"), "{all:?}");
        assert_eq!(said(None, &[]).await[0].1, Truth::Unknown);
        let mut list = Vec::new();
        manifests(Some(Path::new("/nonexistent")), None, &mut list).await;
        assert_eq!(
            (list[0].ok, list[0].message.as_str()),
            (Truth::False, "there is no directory /nonexistent")
        );
    }
}
