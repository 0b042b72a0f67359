//! Looks at the env files of a project: those that it wants, and those that it wrote and does not want any more.

use super::env_file::check::EnvFile;
use super::env_file::{Change, File, Found, Gives, Header, Line, Refusal, Wanted, Whose, givers};
use super::tools::{Look, There, look};
use super::{Project, Subject};
use crate::core::neighbours::Around;
use crate::core::variable::{Given, dotenv};
use crate::secrets::ExposeSecret;
use crate::store::Store;
use crate::workload::Tools;
use crate::workload::observe::ObserveError;
use crate::workload::tools::PasswordError;
use crate::workload::tools::sources::Places;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the file of an environment says, with what it gives.
///
/// # Errors
/// When a secret cannot be opened.
pub fn lines(tools: &Tools, around: &Around, environment: &str) -> Result<(Gives, Vec<Line>), PasswordError> {
    let givers = givers(around);
    let given = Given::to(environment, &givers, true);
    let (gives, mut lines) = (Gives::of(around, &given), Vec::new());
    if gives != Gives::All {
        return Ok((gives, lines));
    }
    for (from, variable) in given.variables {
        let secret = givers.get(&from).map(|offer| tools.given_secret(&from, offer)).transpose()?.flatten();
        let value = variable.value(secret.as_ref().map(ExposeSecret::expose_secret)).map(Zeroizing::new);
        let Some(value) = value else {
            return Ok((Gives::NotYet("LinkNotReady", format!("{from} has no password yet")), Vec::new()));
        };
        let text = Zeroizing::new(dotenv(&variable.name, &value));
        lines.push(Line { name: variable.name, text });
    }
    Ok((gives, lines))
}

#[must_use]
pub fn header(tools: &Tools, subject: &Subject<'_, Project>, environment: &str) -> Header {
    Header::new(&subject.identity.object, environment, &tools.installation.to_string(), &tools.store.id())
}

/// Whether what stands there is ours, and how it differs from these lines.
#[must_use]
pub fn found(there: There, header: &Header, known: bool, lines: &[Line]) -> Found {
    match there {
        There::Missing => Found::Missing,
        There::Refused(refusal) => Found::Refused(refusal),
        There::Text { text, mode, stamp } => match header.whose(&text, known) {
            Whose::Ours => Found::Ours { mode, change: Change::between(&text, header, lines), stamp },
            Whose::Nobodys => Found::Missing,
            Whose::Others => Found::Refused(Refusal::Foreign),
        },
    }
}

/// All of them.
///
/// # Errors
/// When a secret cannot be opened.
pub async fn env_files(kind: &Project, subject: &Subject<'_, Project>) -> Result<Vec<File>, ObserveError> {
    let mut files = Vec::new();
    for (name, wanted) in subject.spec.env_files.iter().filter(|_| subject.present) {
        files.push(wanted_file(kind, subject, name.as_str(), wanted).await?);
    }
    for (path, kept) in &subject.memory.env_files {
        let same = |file: &File| file.key() == *path && file.environment == kept.environment;
        if files.iter().any(same) {
            continue;
        }
        let (path, root) = (PathBuf::from(path), kept.root.clone());
        let Look { there, leftover } = looked_at(kind, &root, &path).await;
        let header = header(&kind.tools, subject, &kept.environment);
        let found = found(there, &header, true, &[]);
        files.push(File { path, root, environment: kept.environment.clone(), wanted: None, found, leftover });
    }
    Ok(files)
}

async fn wanted_file(
    kind: &Project,
    subject: &Subject<'_, Project>,
    environment: &str,
    wanted: &EnvFile,
) -> Result<File, ObserveError> {
    let tools = &kind.tools;
    let header = header(tools, subject, environment);
    let (gives, lines) = lines(tools, subject.around, environment)?;
    let (path, root) = place(tools.places(), &wanted.path);
    let Look { there, leftover } = match &root {
        Ok(root) => looked_at(kind, root, &path).await,
        Err(refusal) => Look { there: There::Refused(refusal.clone()), leftover: false },
    };
    let kept = subject.memory.env_files.get(&*path.to_string_lossy());
    let found = found(there, &header, kept.is_some_and(|kept| kept.environment == environment), &lines);
    let wanted = Some(Wanted { file: wanted.clone(), gives });
    let root = root.unwrap_or_default();
    Ok(File { path, root, environment: environment.to_owned(), wanted, found, leftover })
}

async fn looked_at(kind: &Project, root: &Path, path: &Path) -> Look {
    let (root, below) = (root.to_owned(), path.to_owned());
    let look = kind.disks.in_time(path, move || look(&root, &below)).await;
    look.unwrap_or_else(|why| Look { there: There::Refused(Refusal::Disk(why)), leftover: false })
}

/// Where the file lies, and below which of the allowed directories. Their own names may have links in them: whoever set them
/// up wrote those.
fn place(places: &Places, path: &str) -> (PathBuf, Result<PathBuf, Refusal>) {
    let absolute = |dir: &Path| std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let manifests = absolute(&places.manifests);
    let path = manifests.join(path);
    let given = &places.env_file_roots;
    let roots: Vec<PathBuf> =
        if given.is_empty() { vec![manifests] } else { given.iter().map(|root| absolute(root)).collect() };
    let root = roots.iter().find(|root| path.starts_with(root)).cloned();
    (path, root.ok_or(Refusal::Outside(roots)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lies_below_the_manifests_unless_something_else_is_allowed() {
        for (roots, path, want) in [
            (&[][..], "shop.env", Some(("/m/shop.env", "/m"))),
            (&[], "/m/web/shop.env", Some(("/m/web/shop.env", "/m"))),
            (&[], "/srv/shop.env", None),
            (&[], "/manifests/shop.env", None),
            (&["/srv"], "/srv/shop.env", Some(("/srv/shop.env", "/srv"))),
            (&["/srv"], "shop.env", None),
            (&["/srv", "/m/./web/"], "web/shop.env", Some(("/m/web/shop.env", "/m/web"))),
            (&["/srv"], "/srv2/shop.env", None),
        ] {
            let env_file_roots = roots.iter().map(PathBuf::from).collect();
            let places = Places { manifests: "/m".into(), env_file_roots, ..Places::default() };
            let (at, root) = place(&places, path);
            let got = root.ok().map(|root| (at, root));
            let want = want.map(|(at, root)| (PathBuf::from(at), PathBuf::from(root)));
            assert_eq!(got, want, "{roots:?} {path}");
        }
    }
}
