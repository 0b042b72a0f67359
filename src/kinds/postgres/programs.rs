//! The server's programs in an image: where they may be, and what they were built for. Pure.

use super::facts::major_of_env;
use crate::core::seen::SeenImage;

/// Directories of programs in images that people use, beside those in the image's PATH.
const DIRS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/opt/bitnami/postgresql/bin"];
/// The same with the major version in them: Debian, the RPMs of the PGDG, Alpine.
const DIRS_OF_MAJOR: [&str; 3] =
    ["/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/usr/libexec/postgresql{}"];
/// More entries of an image's PATH are not looked at: each is a call.
const PATH_ENTRIES: usize = 12;

/// Where to look for the server's programs, the likeliest first.
#[must_use]
pub fn dirs(image: &SeenImage) -> Vec<String> {
    let majors: Vec<u32> = major_of_env(image).map_or_else(|| (13..=20).rev().collect(), |m| vec![m]);
    let of_majors = majors
        .iter()
        .flat_map(|major| DIRS_OF_MAJOR.iter().map(move |dir| dir.replace("{}", &major.to_string())));
    let path = image.env.get("PATH").unwrap_or_default();
    let path = path.split(':').filter(|d| d.starts_with('/')).take(PATH_ENTRIES).map(str::to_owned);
    let (likely, other): (Vec<_>, Vec<_>) = path.partition(|d| d.contains("postgres") || d.contains("pgsql"));
    let known = DIRS.iter().map(|dir| (*dir).to_owned());
    let mut dirs: Vec<String> = Vec::new();
    for dir in likely.into_iter().chain(of_majors).chain(known).chain(other) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

/// Where a server whose program is in `dir` looks for libraries: it finds them from where it is itself (`PKGLIBDIR`; PostgreSQL
/// docs, "dynamic_library_path"), in a place that depends on who built it. Debian and the PGDG; the official Alpine image; Alpine.
#[must_use]
pub fn libraries(dir: &str) -> Vec<String> {
    let Some((root, name)) = dir.trim_end_matches('/').rsplit_once('/') else { return Vec::new() };
    match name {
        "bin" => vec![format!("{root}/lib"), format!("{root}/lib/postgresql")],
        name if root.ends_with("/libexec") => {
            vec![format!("{}/lib/{name}", root.trim_end_matches("/libexec"))]
        }
        _ => Vec::new(),
    }
}

/// Major and catalog version that a program was built for: those that handle tablespaces hold the name of
/// the directory that these keep their files in, `PG_18_202506291` (`TABLESPACE_VERSION_DIRECTORY` in
/// PostgreSQL's `src/include/common/relpath.h`).
#[must_use]
pub fn built_for(program: &[u8]) -> Option<(u32, u32)> {
    let starts = program.iter().enumerate().filter(|(_, byte)| **byte == b'P').map(|(start, _)| start);
    starts.filter_map(|start| program.get(start..)).find_map(directory_name)
}

/// `PG_18_202506291` at the start of `bytes`, and nothing after it.
fn directory_name(bytes: &[u8]) -> Option<(u32, u32)> {
    fn number(bytes: &[u8], longest: usize) -> Option<(u32, &[u8])> {
        let digits = bytes.iter().take(longest).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = bytes.split_at_checked(digits)?;
        Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
    }
    let (major, rest) = number(bytes.strip_prefix(b"PG_")?, 3)?;
    let (catalog, rest) = number(rest.strip_prefix(b"_")?, 9)?;
    let whole = catalog >= 200_000_000 && rest.first().is_none_or(|byte| *byte == 0);
    whole.then_some((major, catalog))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(env: &[(&str, &str)]) -> SeenImage {
        SeenImage { env: env.iter().copied().collect(), ..SeenImage::default() }
    }

    #[test]
    fn what_a_program_was_built_for_is_in_it() {
        for (program, want) in [
            (&b"\x7fELF..\0pg_tblspc\0PG_18_202506291\0more"[..], Some((18, 202_506_291))),
            (b"PG_17_202406281", Some((17, 202_406_281))),
            (b"PG_18_\0PPG_18_202506291\0", Some((18, 202_506_291))),
            (b"PG_18_2025062911\0", None),
            (b"PG_18_20250629\0", None),
            (b"PG_18_202506291x", None),
            (b"PG_9999_202506291\0", None),
            (b"PG_VERSION\0PG_", None),
            (b"", None),
        ] {
            assert_eq!(built_for(program), want, "{}", String::from_utf8_lossy(program));
        }
    }

    #[test]
    fn libraries_are_looked_for_from_the_program_on() {
        for (dir, want) in [
            (
                "/usr/lib/postgresql/18/bin",
                &["/usr/lib/postgresql/18/lib", "/usr/lib/postgresql/18/lib/postgresql"][..],
            ),
            ("/usr/local/bin/", &["/usr/local/lib", "/usr/local/lib/postgresql"]),
            ("/usr/libexec/postgresql17", &["/usr/lib/postgresql17"]),
            ("/postgres", &[]),
            ("", &[]),
        ] {
            assert_eq!(libraries(dir), want, "{dir}");
        }
    }

    #[test]
    fn programs_are_looked_for_where_the_image_says_first() {
        let debian =
            dirs(&image(&[("PG_MAJOR", "17"), ("PATH", "/usr/sbin:/usr/lib/postgresql/17/bin:rel")]));
        assert_eq!(debian[0], "/usr/lib/postgresql/17/bin");
        assert!(debian.contains(&"/usr/sbin".to_owned()) && !debian.contains(&"rel".to_owned()));
        let unknown = dirs(&image(&[]));
        assert!(unknown.contains(&"/usr/lib/postgresql/18/bin".to_owned()), "{unknown:?}");
        let long = (0..500).map(|n| format!("/d{n}")).collect::<Vec<_>>().join(":");
        assert!(dirs(&image(&[("PATH", &long)])).len() < 50);
    }
}
