//! Tables: flags, environment and files in, settings out.

use super::*;

fn environment(cwd: &Path, variables: &[(&str, &str)]) -> Environment {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Environment { variables, cwd: cwd.to_owned(), root: false }
}

#[test]
fn a_flag_wins_over_a_variable_over_the_files_over_the_default() {
    let cwd = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let data_text = data.path().to_str().unwrap();
    let installation = |flag: Option<&str>, variables: &[(&str, &str)]| {
        let flags = Flags { installation: flag.map(str::to_owned), ..Flags::default() };
        let mut all = vec![("SEAWALL_DATA", data_text)];
        all.extend(variables);
        resolve(&flags, &environment(cwd.path(), &all)).unwrap().installation.to_string()
    };
    assert_eq!(installation(None, &[]), "default");
    fs::write(data.path().join(FILE), "installation: in-data\n").unwrap();
    assert_eq!(installation(None, &[]), "in-data");
    fs::write(cwd.path().join(FILE), "installation: in-cwd\n").unwrap();
    assert_eq!(installation(None, &[]), "in-cwd");
    assert_eq!(installation(None, &[("SEAWALL_INSTALLATION", "")]), "in-cwd", "empty is not set");
    assert_eq!(installation(None, &[("SEAWALL_INSTALLATION", "in-env")]), "in-env");
    assert_eq!(installation(Some("flag"), &[("SEAWALL_INSTALLATION", "in-env")]), "flag");
}

#[test]
fn paths_start_where_they_were_written() {
    let cwd = tempfile::tempdir().unwrap();
    fs::write(cwd.path().join(FILE), "data: d\nmanifests: m\n").unwrap();
    fs::create_dir(cwd.path().join("d")).unwrap();
    fs::write(cwd.path().join("d").join(FILE), "keyFile: k\n").unwrap();
    let got = resolve(&Flags::default(), &environment(cwd.path(), &[])).unwrap();
    assert_eq!(got.data, cwd.path().join("d"));
    assert_eq!(got.manifests, Some(cwd.path().join("m")));
    assert_eq!(got.key_file, cwd.path().join("d/k"));
    assert_eq!(got.socket(), cwd.path().join("d/seawall.sock"));
}

#[test]
fn defaults_are_the_documented_ones() {
    let cwd = tempfile::tempdir().unwrap();
    let mut around = environment(cwd.path(), &[("HOME", "/h/x"), ("DOCKER_HOST", "unix:///d")]);
    let got = resolve(&Flags::default(), &around).unwrap();
    assert_eq!(got.data, Path::new("/h/x/.seawall"));
    assert_eq!(got.key_file, Path::new("/h/x/.seawall/encryption_key"));
    assert_eq!(got.docker_host.as_deref(), Some("unix:///d"));
    assert!(matches!(got.manifests_or_default(), Err(SettingsError::NoManifests)));
    fs::create_dir(cwd.path().join("manifests")).unwrap();
    assert_eq!(got.manifests_or_default().unwrap(), cwd.path().join("manifests"));
    around.variables.insert("SEAWALL_DOCKER_HOST".into(), "unix:///s".into());
    around.root = true;
    let got = resolve(&Flags::default(), &around).unwrap();
    assert_eq!(got.data, Path::new("/var/lib/seawall"));
    assert_eq!(got.docker_host.as_deref(), Some("unix:///s"));
    let homeless = environment(cwd.path(), &[]);
    assert!(matches!(resolve(&Flags::default(), &homeless), Err(SettingsError::NoHome)));
}

#[test]
fn wrong_files_say_what_is_wrong() {
    let cwd = tempfile::tempdir().unwrap();
    for (text, needle) in [
        ("key_file: x\n", "did you mean \"keyFile\"?"),
        ("docker-host: x\n", "did you mean \"dockerHost\"?"),
        ("manifest: x\n", "did you mean \"manifests\"?"),
        ("data: 3\n", "data must be a text"),
        ("installation: Big\n", "not a DNS label"),
        ("data: [\n", "seawall.yaml: "),
        ("- a\n", "seawall.yaml: "),
    ] {
        fs::write(cwd.path().join(FILE), text).unwrap();
        let error = resolve(&Flags::default(), &environment(cwd.path(), &[("HOME", "/h")])).unwrap_err();
        assert!(error.to_string().contains(needle), "{text}: {error}");
    }
    fs::write(cwd.path().join(FILE), "# nothing\n").unwrap();
    assert!(resolve(&Flags::default(), &environment(cwd.path(), &[("HOME", "/h")])).is_ok());
}

#[test]
fn where_figures_are_served_is_an_address_or_off() {
    let cwd = tempfile::tempdir().unwrap();
    let address = |flags: &Flags, variables: &[(&str, &str)]| {
        let mut all = vec![("HOME", "/h")];
        all.extend(variables);
        resolve(flags, &environment(cwd.path(), &all)).map(|s| s.metrics_addr.map(|at| at.to_string()))
    };
    let is = |address: &str| Some(address.to_owned());
    assert_eq!(address(&Flags::default(), &[]).unwrap(), is("127.0.0.1:9188"));
    fs::write(cwd.path().join(FILE), "metricsAddr: '[::1]:1'\n").unwrap();
    assert_eq!(address(&Flags::default(), &[]).unwrap(), is("[::1]:1"));
    let variables = [("SEAWALL_METRICS_ADDR", "off")];
    assert_eq!(address(&Flags::default(), &variables).unwrap(), None);
    let flags = Flags { metrics_addr: Some("0.0.0.0:0".parse().unwrap()), ..Flags::default() };
    assert_eq!(address(&flags, &variables).unwrap(), is("0.0.0.0:0"));
    let wrong = address(&Flags::default(), &[("SEAWALL_METRICS_ADDR", "9188")]).unwrap_err().to_string();
    assert!(wrong.contains("metricsAddr") && wrong.contains("127.0.0.1:9188"), "{wrong}");
}

#[test]
fn who_listens_beyond_the_loopback_device_needs_a_certificate_or_a_proxy() {
    let cwd = tempfile::tempdir().unwrap();
    let listens = |words: &[&str], variables: &[(&str, &str)]| {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Run {
            #[command(flatten)]
            flags: ListenFlags,
        }
        let flags = Run::parse_from(std::iter::once(&"run").chain(words)).flags;
        let mut all = vec![("HOME", "/h")];
        all.extend(variables);
        let listening = resolve(&Flags::default(), &environment(cwd.path(), &all))?.listen;
        listening.with(&flags, cwd.path())
    };
    let at = |address: &str| Some(address.parse::<SocketAddr>().unwrap());
    assert_eq!(listens(&[], &[]).unwrap(), Listening::default());
    let loopback = [("SEAWALL_LISTEN", "127.0.0.1:7080")];
    assert_eq!(listens(&[], &loopback).unwrap().address, at("127.0.0.1:7080"));
    assert_eq!(listens(&["--listen", "off"], &loopback).unwrap().address, None);
    assert_eq!(listens(&["--listen", "[::1]:1"], &loopback).unwrap().address, at("[::1]:1"));
    let open = ["--listen", "0.0.0.0:7080"];
    assert!(listens(&open, &[("SEAWALL_BEHIND_PROXY", "true")]).unwrap().behind_proxy);
    let files = [("SEAWALL_TLS_CERT", "c.pem"), ("SEAWALL_TLS_KEY", "/k.pem")];
    let with = listens(&open, &files).unwrap();
    assert_eq!((with.tls_cert, with.tls_key), (Some(cwd.path().join("c.pem")), Some("/k.pem".into())));
    for (words, variables, says) in [
        (&open[..], &[][..], "everybody on the way could read tokens"),
        (&open, &[("SEAWALL_BEHIND_PROXY", "false")], "everybody on the way"),
        (&open, &files[..1], "the certificate has no key"),
        (&[], &[files[1], loopback[0]], "the key has no certificate"),
        (&[], &[("SEAWALL_BEHIND_PROXY", "yes")], "\"yes\" is neither true nor false"),
        (&[], &[("SEAWALL_LISTEN", "7080")], "write 127.0.0.1:7080"),
    ] {
        let error = listens(words, variables).unwrap_err().to_string();
        assert!(error.starts_with("listen: ") && error.contains(says), "{words:?} {variables:?}: {error}");
    }
    fs::write(cwd.path().join(FILE), "listen: '[::]:1'\ntlsCert: c\ntlsKey: k\nbehindProxy: 'true'\n")
        .unwrap();
    let filed = listens(&[], &[]).unwrap();
    assert_eq!((filed.address, filed.behind_proxy), (at("[::]:1"), true));
    assert_eq!(filed.tls_key, Some(cwd.path().join("k")));
}

#[test]
fn colours_only_on_a_terminal_and_not_with_no_color() {
    let cwd = Path::new("/");
    assert!(environment(cwd, &[]).colour(true));
    assert!(environment(cwd, &[("NO_COLOR", "")]).colour(true));
    assert!(!environment(cwd, &[("NO_COLOR", "1")]).colour(true));
    assert!(!environment(cwd, &[("TERM", "dumb")]).colour(true));
    assert!(!environment(cwd, &[]).colour(false));
}

#[test]
fn env_files_may_lie_below_several_directories() {
    let cwd = tempfile::tempdir().unwrap();
    let roots = |flags: &[&str], variables: &[(&str, &str)]| {
        let flags = Flags { env_file_root: flags.iter().map(PathBuf::from).collect(), ..Flags::default() };
        let mut all = vec![("HOME", "/h")];
        all.extend(variables);
        resolve(&flags, &environment(cwd.path(), &all)).unwrap().env_file_roots
    };
    let own = |name: &str| cwd.path().join(name);
    assert_eq!(roots(&[], &[]), Vec::<PathBuf>::new());
    fs::write(cwd.path().join(FILE), "envFileRoot: /srv:web\n").unwrap();
    assert_eq!(roots(&[], &[]), [PathBuf::from("/srv"), own("web")]);
    assert_eq!(roots(&[], &[("SEAWALL_ENV_FILE_ROOT", ":/opt")]), [PathBuf::from("/opt")]);
    assert_eq!(roots(&["a", "/b"], &[("SEAWALL_ENV_FILE_ROOT", "/opt")]), [own("a"), PathBuf::from("/b")]);
}

#[test]
fn graces_are_durations_from_wherever_they_come() {
    let cwd = tempfile::tempdir().unwrap();
    let graces = |flags: &Flags, variables: &[(&str, &str)]| {
        let mut all = vec![("HOME", "/h")];
        all.extend(variables);
        resolve(flags, &environment(cwd.path(), &all)).map(|s| (s.removal_grace, s.deletion_grace))
    };
    let seconds = Duration::from_secs;
    assert_eq!(graces(&Flags::default(), &[]).unwrap(), (seconds(30), seconds(600)));
    fs::write(cwd.path().join(FILE), "removalGrace: 2m\ndeletionGrace: 24h\n").unwrap();
    assert_eq!(graces(&Flags::default(), &[]).unwrap(), (seconds(120), seconds(86_400)));
    let variables = [("SEAWALL_REMOVAL_GRACE", "1s"), ("SEAWALL_DELETION_GRACE", "90")];
    assert_eq!(graces(&Flags::default(), &variables).unwrap(), (seconds(1), seconds(90)));
    let flags = Flags { removal_grace: Some(seconds(7)), ..Flags::default() };
    assert_eq!(graces(&flags, &variables).unwrap(), (seconds(7), seconds(90)));
    let wrong = graces(&Flags::default(), &[("SEAWALL_REMOVAL_GRACE", "soon")]).unwrap_err();
    assert!(wrong.to_string().contains("removalGrace: \"soon\" is not a duration"), "{wrong}");
}
