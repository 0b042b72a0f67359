//! Links on a real PostgreSQL: a project finds a database of its own, and gets into nothing else.

use crate::harness::{Sea, condition, text, wait_for};
use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const SHOP: &str = "link/shop-main";
const BLOG: &str = "link/blog-main";

pub fn project(sea: &Sea, name: &str) {
    let text = "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: NAME}\nspec: {environments: {production: {}}}\n";
    sea.write(&format!("{name}.yaml"), &text.replace("NAME", name));
}

pub fn link(sea: &Sea, name: &str, project: &str, more: &str) {
    let spec = format!("{{service: postgres/main, project: {project}, environment: production{more}}}");
    let text = format!("apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {name}}}\nspec: {spec}\n");
    sea.write(&format!("{name}.yaml"), &text);
}

pub fn linked(sea: &Sea, link: &str) {
    sea.until_condition(link, "Ready", "True", "LoginSucceeded");
}

/// As a program of the project's on this machine.
fn psql(sea: &Sea, environment: &str, more: &[&str], sql: &str) -> Output {
    // In a shell of its own, so that the variable is the program's.
    let script = "exec psql -XAtq -v ON_ERROR_STOP=1 \"$@\" \"$POSTGRES_URL\" -c \"$SQL\"";
    let mut command = sea.command();
    command.args(["exec", environment, "--", "sh", "-c", script, "sh"]).args(more).env("SQL", sql);
    command.output().unwrap()
}

pub fn ok(sea: &Sea, environment: &str, sql: &str) -> String {
    let output = psql(sea, environment, &[], sql);
    assert!(output.status.success(), "{sql}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn variable(sea: &Sea, environment: &str, name: &str) -> String {
    let all = sea.ok(&["env", environment, "--host", "--reveal", "-o", "docker"]);
    let all = all.lines().filter_map(|line| line.split_once('='));
    all.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).next().unwrap()
}

#[test]
fn a_project_gets_a_database_of_its_own_and_gets_into_nothing_else() {
    let sea = Sea::start();
    sea.main();
    for name in ["shop", "blog"] {
        project(&sea, name);
    }
    link(&sea, "shop-main", "shop", ", extensions: [pgcrypto, nowhere_ext], connectionLimit: 5");
    link(&sea, "blog-main", "blog", "");
    linked(&sea, SHOP);
    linked(&sea, BLOG);
    // What is missing is said, and the rest works.
    let lacks = sea.until_condition(SHOP, "Degraded", "True", "ExtensionUnavailable");
    assert!(lacks.contains("nowhere_ext") && lacks.contains("is not available"), "{lacks}");
    let whoami =
        "SELECT current_database(), session_user, current_user, length(gen_random_bytes(8)::text) > 0";
    assert_eq!(ok(&sea, "shop/production", whoami), "shop_production|shop_main_a|shop_production|t");
    ok(&sea, "shop/production", "CREATE TABLE visits (n int); INSERT INTO visits VALUES (7)");
    let owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'visits'";
    assert_eq!(ok(&sea, "shop/production", owner), "shop_production");
    let limit = "SELECT datconnlimit FROM pg_database WHERE datname = 'shop_production'";
    assert_eq!(sea.sql("main", limit), "5");

    for database in ["shop_production", "postgres", "template1", "app"] {
        let output = psql(&sea, "blog/production", &["-d", database], "SELECT 1");
        let into = variable(&sea, "blog/production", "POSTGRES_URL")
            .replace("/blog_production", &format!("/{database}"));
        let direct = Command::new("psql").args(["-XAtq", &into, "-c", "SELECT 1"]).output().unwrap();
        assert!(
            !direct.status.success() && text(&direct).contains("permission denied for database"),
            "{database}: {} {}",
            text(&direct),
            text(&output)
        );
    }
    for (sql, why) in [
        ("CREATE DATABASE mine", "permission denied"),
        ("CREATE ROLE mine", "permission denied"),
        ("SET ROLE postgres", "permission denied"),
        ("SET ROLE shop_production", "permission denied"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied"),
        ("COPY (SELECT 1) TO PROGRAM 'id'", "permission denied"),
        ("ALTER ROLE shop_main_a PASSWORD 'x'", "permission denied"),
        ("DROP DATABASE shop_production", "must be owner"),
        ("SELECT rolpassword FROM pg_authid", "permission denied"),
        ("SELECT * FROM pg_shadow", "permission denied"),
        ("SELECT pg_ls_dir('.')", "permission denied"),
        ("SELECT lo_import('/etc/passwd')", "permission denied"),
        ("CREATE TABLE f (l text); COPY f FROM '/etc/passwd'", "permission denied"),
        ("CREATE EXTENSION dblink", "permission denied"),
        ("CREATE EXTENSION file_fdw", "permission denied"),
        ("ALTER SYSTEM SET work_mem = '1GB'", "not allowed"),
        ("SET SESSION AUTHORIZATION postgres", "permission denied"),
        ("CREATE TABLESPACE t LOCATION '/tmp'", "permission denied"),
        ("LOAD 'pg_prewarm'", "not allowed"),
        ("GRANT shop_production TO CURRENT_USER", "permission denied"),
        ("GRANT pg_read_all_data TO CURRENT_USER", "permission denied"),
        ("REASSIGN OWNED BY shop_production TO CURRENT_USER", "permission denied"),
        ("COMMENT ON ROLE shop_main_a IS 'mine'", "permission denied"),
        ("CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION f()", "permission denied"),
        ("SELECT pg_create_physical_replication_slot('s')", "permission denied"),
        ("ALTER DATABASE shop_production SET work_mem = '1GB'", "must be owner"),
        ("ALTER DATABASE shop_production RENAME TO mine", "must be owner"),
        ("SELECT pg_reload_conf()", "permission denied"),
    ] {
        let output = psql(&sea, "blog/production", &[], sql);
        assert!(!output.status.success() && text(&output).contains(why), "{sql}: {}", text(&output));
    }
    // Nor do they see or end what the other one runs.
    let url = variable(&sea, "shop/production", "POSTGRES_URL");
    let mut runs = Command::new("psql")
        .args(["-XAtq", &url, "-c", "SELECT 'of the shop', pg_sleep(60)"])
        .spawn()
        .unwrap();
    let of_shop = "FROM pg_stat_activity WHERE datname = 'shop_production' AND usename = 'shop_main_a'";
    wait_for("the shop's session", || {
        (sea.sql("main", &format!("SELECT count(*) {of_shop}")) == "1").then_some(())
    });
    let seen = ok(&sea, "blog/production", &format!("SELECT query {of_shop}"));
    assert_eq!(seen, "<insufficient privilege>");
    for does in ["pg_terminate_backend", "pg_cancel_backend"] {
        let output = psql(&sea, "blog/production", &[], &format!("SELECT {does}(pid) {of_shop}"));
        assert!(!output.status.success() && text(&output).contains("permission denied"), "{}", text(&output));
    }
    assert!(runs.try_wait().unwrap().is_none());
    runs.kill().unwrap();
    runs.wait().unwrap();
}

#[test]
fn what_others_change_of_a_tenant_comes_back_and_an_unlink_closes_it() {
    let sea = Sea::start();
    sea.main();
    project(&sea, "shop");
    link(&sea, "shop-main", "shop", "");
    linked(&sea, SHOP);
    ok(&sea, "shop/production", "CREATE TABLE visits (n int); INSERT INTO visits VALUES (7)");
    let database = "SELECT oid FROM pg_database WHERE datname = 'shop_production'";
    let oid = sea.sql("main", database);
    let login = "SELECT rolcanlogin, rolsuper, rolcreatedb, rolvaliduntil FROM pg_roles WHERE rolname = 'shop_main_a'";
    let by_hand = [
        ("ALTER ROLE shop_main_a PASSWORD 'mine'", "it was changed by hand"),
        ("ALTER ROLE shop_main_a NOLOGIN", "it is closed"),
        ("ALTER ROLE shop_main_a SUPERUSER VALID UNTIL 'yesterday'", "it may do what no tenant may"),
        ("ALTER ROLE shop_main_a RESET role", "it does not"),
        ("GRANT pg_read_all_data TO shop_main_a", "it is a member of more than its owner"),
        ("GRANT CONNECT ON DATABASE shop_production TO PUBLIC", "everybody may connect to it"),
        ("ALTER DATABASE shop_production OWNER TO postgres", "it belongs to somebody else"),
        ("ALTER DATABASE shop_production CONNECTION LIMIT 3", "3 → none"),
    ];
    for (sql, _) in by_hand {
        sea.sql("main", sql);
    }
    for (_, reason) in by_hand {
        sea.event("TenantChanged", reason);
    }
    wait_for("a login as before", || {
        let output = psql(&sea, "shop/production", &[], "SELECT session_user, current_user, n FROM visits");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && said == "shop_main_a|shop_production|7").then_some(())
    });
    linked(&sea, SHOP);
    assert_eq!(sea.sql("main", login), "t|f|f|infinity");
    let steps = || sea.ok(&["events"]).lines().filter(|line| line.contains("TenantChanged")).count();
    let before = steps();
    sea.sql("main", "SELECT pg_sleep(35)");
    assert_eq!(steps(), before, "a look at what is right changes nothing");
    let url = variable(&sea, "shop/production", "POSTGRES_URL");
    sea.remove("shop-main.yaml");
    forgotten(&sea, SHOP);
    let output = Command::new("psql").args(["-XAtq", &url, "-c", "SELECT 1"]).output().unwrap();
    assert!(
        !output.status.success() && text(&output).contains("not permitted to log in"),
        "{}",
        text(&output)
    );
    link(&sea, "shop-main", "shop", "");
    linked(&sea, SHOP);
    assert_eq!(ok(&sea, "shop/production", "SELECT n FROM visits"), "7");
    assert_eq!(sea.sql("main", database), oid);
}

#[test]
fn two_links_share_a_database_that_both_name() {
    let sea = Sea::start();
    sea.main();
    let both =
        |extensions: &str| format!(", database: both, deletionPolicy: Delete, extensions: {extensions}");
    for (name, extensions) in [("shop", "[pgcrypto]"), ("blog", "[pgcrypto, pageinspect]")] {
        project(&sea, name);
        link(&sea, &format!("{name}-main"), name, &both(extensions));
        linked(&sea, &format!("link/{name}-main"));
    }
    // The script of an extension that is not trusted does not run where another link's application can write.
    let lacks = sea.until_condition(BLOG, "Degraded", "True", "ExtensionUnavailable");
    assert!(lacks.contains("pageinspect") && lacks.contains("not a trusted one"), "{lacks}");
    ok(&sea, "shop/production", "CREATE TABLE visits (n int); INSERT INTO visits VALUES (7)");
    let whoami = "SELECT current_database(), session_user, current_user, n FROM visits";
    assert_eq!(ok(&sea, "shop/production", whoami), "both|shop_main_a|both|7");
    assert_eq!(ok(&sea, "blog/production", whoami), "both|blog_main_a|both|7");
    ok(&sea, "blog/production", "ALTER TABLE visits ADD m int; UPDATE visits SET n = 8");
    let taken = psql(&sea, "blog/production", &[], "ALTER ROLE shop_main_a PASSWORD 'x'");
    assert!(text(&taken).contains("permission denied"), "{}", text(&taken));

    // Unlinked, the shop gets in no more, also when its consent to delete is there; the blog goes on.
    let url = variable(&sea, "shop/production", "POSTGRES_URL");
    sea.remove("shop-main.yaml");
    let words = sea.until_condition(SHOP, "Ready", "False", "DatabaseShared");
    assert!(words.contains(BLOG), "{words}");
    sea.ok(&["delete", SHOP, "--confirm", "shop-main"]);
    let output = Command::new("psql").args(["-XAtq", &url, "-c", "SELECT 1"]).output().unwrap();
    assert!(text(&output).contains("not permitted to log in"), "{}", text(&output));
    linked(&sea, BLOG);
    assert_eq!(ok(&sea, "blog/production", "SELECT n FROM visits"), "8");
    sea.remove("blog-main.yaml");
    forgotten(&sea, SHOP);
    let left = "SELECT count(*) FROM pg_database WHERE datname = 'both'";
    assert_eq!(sea.sql("main", left), "0");
}

#[test]
fn a_database_may_be_called_as_its_owner_likes() {
    let sea = Sea::start();
    sea.main();
    project(&sea, "shop");
    let names = ["o\"dd; DROP ROLE x -- é", "SELECT", " a b ", "100%/?#&=", "it's", "$$", "back\\slash"];
    for (index, name) in names.into_iter().enumerate() {
        let quoted = name.replace('\'', "''");
        let more = format!(", database: '{quoted}', prefix: P{index}, deletionPolicy: Delete");
        link(&sea, &format!("l{index}"), "shop", &more);
    }
    for (index, name) in names.into_iter().enumerate() {
        linked(&sea, &format!("link/l{index}"));
        let script = format!("psql -XAtqc 'SELECT current_database(), current_user' \"$P{index}_URL\"");
        let said = sea.ok(&["exec", "shop/production", "--", "sh", "-c", &script]);
        assert_eq!(said.trim_end_matches('\n'), format!("{name}|{name}"));
    }
    for (name, why) in
        [("postgres", "server's own"), ("pg_x", "cannot be the name of a role"), ("app", "the service's own")]
    {
        link(&sea, "bad", "shop", &format!(", database: {name}, prefix: BAD"));
        wait_for(why, || {
            let ready = condition(&sea.status("link/bad"), "Ready");
            (ready.0 == "False" && ready.2.contains(why)).then_some(())
        });
    }
    // What is there already is somebody's.
    sea.sql("main", "CREATE DATABASE theirs");
    sea.sql("main", "CREATE ROLE their_role");
    for (name, why) in [("theirs", "database \"theirs\""), ("their_role", "role \"their_role\"")] {
        link(&sea, "bad", "shop", &format!(", database: {name}, prefix: BAD"));
        let words = wait_for(why, || {
            let ready = condition(&sea.status("link/bad"), "Ready");
            (ready.1 == "NameConflict" && ready.2.contains(why)).then_some(ready.2)
        });
        assert!(words.contains("was not made for it by Seawall"), "{words}");
    }
    // Nor does anything of it go when what was made for links goes.
    sea.remove("bad.yaml");
    for index in 0..names.len() {
        let (name, object) = (format!("l{index}"), format!("link/l{index}"));
        sea.remove(&format!("{name}.yaml"));
        sea.until_condition(&object, "Ready", "False", "DeletionNotConfirmed");
        sea.ok(&["delete", &object, "--confirm", &name]);
        forgotten(&sea, &object);
    }
    let left = "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database";
    assert_eq!(sea.sql("main", left), "app,postgres,template0,template1,theirs");
    let left = "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'";
    assert_eq!(sea.sql("main", left), "postgres,seawall-monitor,their_role");
}

/// Everything that a tenant can lay in the way of a statement of ours. Each says that it ran; none may.
const TRAPS: &str = "
CREATE TABLE public.hits (what text, by name);
CREATE FUNCTION public.hit(what text) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.hits VALUES (what, session_user); RETURN true; END $$;
CREATE FUNCTION public.has_schema_privilege(text, oid, text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.hit('has_schema_privilege') $$;
CREATE FUNCTION public.trap(name, name) RETURNS boolean LANGUAGE sql AS $$ SELECT public.hit('=') $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, PROCEDURE = public.trap);
CREATE FUNCTION public.trap(name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.hit('= text') $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, PROCEDURE = public.trap);
";

#[test]
fn what_a_tenant_lays_into_its_database_never_runs_as_seawall() {
    let sea = Sea::start();
    sea.main();
    project(&sea, "shop");
    link(&sea, "shop-main", "shop", "");
    linked(&sea, SHOP);
    ok(&sea, "shop/production", TRAPS);
    for setting in
        ["search_path = public, pg_catalog", "role = 'shop_production'", "check_function_bodies = off"]
    {
        ok(&sea, "shop/production", &format!("ALTER DATABASE shop_production SET {setting}"));
    }
    // A script that runs as the superuser is one that was written for such a place, or does not run.
    link(&sea, "shop-main", "shop", ", extensions: [citext, dblink]");
    let lacks = sea.until_condition(SHOP, "Degraded", "True", "ExtensionUnavailable");
    assert!(lacks.contains("\"dblink\": it is not a trusted one") && !lacks.contains("citext"), "{lacks}");
    linked(&sea, SHOP);
    assert_eq!(
        ok(&sea, "shop/production", "SELECT 'A'::public.citext OPERATOR(public.=) 'a'::public.citext"),
        "t"
    );
    // What the tenant gave away or took for itself comes back.
    ok(
        &sea,
        "shop/production",
        "GRANT ALL ON SCHEMA public TO PUBLIC; GRANT ALL ON DATABASE shop_production TO PUBLIC",
    );
    sea.event("TenantChanged", "everybody may connect to it");
    sea.sql("main", "ALTER ROLE shop_main_a RESET role");
    sea.event("TenantChanged", "it does not");
    linked(&sea, SHOP);
    assert_eq!(ok(&sea, "shop/production", "SELECT count(*) FROM public.hits"), "0");
    let more = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'shop%' AND (rolsuper OR rolcreaterole OR rolcreatedb)";
    assert_eq!(sea.sql("main", more), "0");
}

/// Waits until the operator died, or `done`; whether it died.
fn crashed(sea: &mut Sea, what: &str, done: impl Fn(&Sea) -> bool) -> bool {
    wait_for(what, || if sea.died() { Some(true) } else { done(sea).then_some(false) })
}

fn is_ready(sea: &Sea, link: &str) -> bool {
    let output = sea.cli(&["wait", link, "--for=condition=Ready", "--timeout=100ms"]);
    output.status.success()
}

pub fn forgotten(sea: &Sea, link: &str) {
    let output = sea.cli(&["wait", link, "--for=delete", "--timeout=60s"]);
    assert!(output.status.success(), "{}{}", text(&output), text(&sea.cli(&["describe", link])));
}

fn is_forgotten(sea: &Sea, link: &str) -> bool {
    text(&sea.cli(&["get", link])).contains("not found")
}

/// A client that reads its variables again for every query finds them right at any moment, and one that is connected goes on
/// until it ends by itself.
#[test]
fn a_rotation_costs_no_login_and_no_query() {
    let sea = Sea::start();
    sea.main();
    project(&sea, "shop");
    link(&sea, "shop-main", "shop", "");
    linked(&sea, SHOP);
    ok(&sea, "shop/production", "CREATE TABLE visits (n int); INSERT INTO visits VALUES (7)");
    let old = variable(&sea, "shop/production", "POSTGRES_URL");
    let stays = "SELECT pg_sleep(20), n FROM visits";
    let connected = Command::new("psql")
        .args(["-XAtq", &old, "-c", stays])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    sea.ok(&["rotate", SHOP]);
    let began = Instant::now();
    let mut users = BTreeSet::new();
    let mut asked = 0;
    while began.elapsed() < Duration::from_secs(200) {
        users.insert(ok(&sea, "shop/production", "INSERT INTO visits VALUES (8); SELECT session_user"));
        asked += 1;
        let status = sea.status(SHOP);
        if users.len() == 2
            && condition(&status, "Progressing").1 == "Settled"
            && status["rotation"].is_null()
        {
            break;
        }
    }
    let went_on = connected.wait_with_output().unwrap();
    assert!(text(&went_on).contains("|7"), "who was connected went on: {}", text(&went_on));
    assert_eq!(
        users.iter().map(String::as_str).collect::<Vec<_>>(),
        ["shop_main_a", "shop_main_b"],
        "{asked}"
    );
    let tried = Command::new("psql").args(["-XAtq", &old, "-c", "SELECT 1"]).output().unwrap();
    assert!(!tried.status.success(), "the old password is of no use: {}", text(&tried));
    let visits = ok(&sea, "shop/production", "SELECT count(*) FROM visits");
    assert_eq!(visits, (asked + 1).to_string());
}

/// One link for each crash point of its life.
#[test]
fn a_crash_at_any_step_of_a_link_leaves_one_database_and_two_roles() {
    let mut sea = Sea::start();
    sea.main();
    project(&sea, "shop");
    sea.ready("main");
    sea.stop();
    for n in 1.. {
        let mut reached = false;
        for moment in ["before", "after"] {
            let (name, point) = (format!("l{n}{moment}"), format!("{n}:{moment}"));
            let object = &format!("link/{name}");
            link(&sea, &name, "shop", &format!(", database: {name}, prefix: {}", name.to_uppercase()));
            sea.run_with(&[("SEAWALL_CRASH_AT", &point)]);
            let died = crashed(&mut sea, &format!("link {point}"), |sea| is_ready(sea, object));
            // From here on without the point.
            if !died {
                sea.stop();
            }
            sea.run();
            linked(&sea, object);
            let count = format!(
                "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE '{name}%') || ' ' || count(*) FROM pg_roles WHERE rolname LIKE '{name}%'"
            );
            assert_eq!(sea.sql("main", &count), "1 2", "{point}");
            let user = |sea: &Sea| sea.status(object)["username"].as_str().unwrap_or_default().to_owned();
            let old = user(&sea);
            sea.ok(&["rotate", object, "--now"]);
            sea.stop();
            sea.run_with(&[("SEAWALL_CRASH_AT", &point)]);
            let over = |sea: &Sea| {
                let status = sea.status(object);
                status["rotation"].is_null()
                    && status["username"] != old.as_str()
                    && condition(&status, "Progressing").1 == "Settled"
            };
            let rotated = crashed(&mut sea, &format!("rotate {point}"), over);
            if rotated {
                sea.run();
            }
            wait_for(&format!("rotated {point}"), || over(&sea).then_some(()));
            let open = format!("SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE '{name}%'");
            assert_eq!(sea.sql("main", &open), user(&sea), "{point}");
            linked(&sea, object);
            sea.stop();

            sea.remove(&format!("{name}.yaml"));
            sea.run_with(&[("SEAWALL_CRASH_AT", &point)]);
            let gone = crashed(&mut sea, &format!("unlink {point}"), |sea| is_forgotten(sea, object));
            if gone {
                sea.run();
            }
            forgotten(&sea, object);
            let open = format!("SELECT count(*) FROM pg_roles WHERE rolcanlogin AND rolname LIKE '{name}%'");
            assert_eq!(sea.sql("main", &open), "0", "{point}");
            sea.stop();
            reached |= died || rotated || gone;
        }
        if !reached {
            assert!(n > 10, "a link has more steps than {n}");
            return;
        }
    }
}

#[test]
fn link_test_logs_in_from_the_network_and_names_the_step_that_fails() {
    let sea = Sea::start();
    sea.main();
    project(&sea, "shop");
    link(&sea, "shop-main", "shop", "");
    linked(&sea, SHOP);
    let said = sea.ok(&["link", "test", SHOP]);
    assert_eq!(said.lines().filter(|line| line.contains(" OK ")).count(), 5, "{said}");
    let password = variable(&sea, "shop/production", "POSTGRES_PASSWORD");
    assert!(said.contains("POSTGRES_PASSWORD") && !said.contains(&password), "{said}");
    assert!(said.contains("logged in as shop_main_a into shop_production"), "{said}");
    // Before it is put right.
    let said = wait_for("the login fails", || {
        sea.sql("main", "ALTER ROLE shop_main_a NOLOGIN");
        let output = sea.cli(&["link", "test", SHOP]);
        (output.status.code() == Some(1)).then(|| text(&output))
    });
    let login = said.lines().find(|line| line.starts_with("Login ")).unwrap();
    assert!(login.contains("FAILED") && login.contains("is not permitted to log in"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("Reachable ") && line.contains(" OK ")), "{said}");
    // Let in without being asked for the password: that proves nothing.
    linked(&sea, SHOP);
    let container = sea.container("main");
    let trust = "sed -i 's/^host  *all  *all  *all .*/host all all all trust/' \"$PGDATA/pg_hba.conf\"";
    sea.docker(&["exec", "-u", "postgres", &container, "sh", "-c", trust]);
    sea.sql("main", "SELECT pg_reload_conf()");
    let said = wait_for("trust is no proof", || {
        let output = sea.cli(&["link", "test", SHOP]);
        let said = text(&output);
        let weak =
            |line: &str| line.starts_with("Login ") && line.contains("did not complete authentication");
        said.lines().any(weak).then_some(said)
    });
    assert!(!said.contains(&password), "{said}");
    sea.ok(&["stop", "postgres/main"]);
    sea.until_condition("main", "Ready", "False", "Stopped");
    let said = text(&sea.cli(&["link", "test", SHOP]));
    let service = said.lines().find(|line| line.starts_with("ServiceReady ")).unwrap();
    assert!(service.contains("FAILED"), "{said}");
}
