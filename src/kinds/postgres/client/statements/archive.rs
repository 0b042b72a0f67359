//! The statements about what a backup holds beside the data of its databases, and that make it anew in another server. What
//! [`super`] says holds for them, too: names and values of a backup are quoted here, and nothing else of it becomes SQL.

use super::{NEWER_SINCE, Sql};
use crate::kinds::postgres::dump::{Access, Database, Member, Provider, Role, Setting};

const HEAD: &str = "SELECT COALESCE(pg_catalog.json_agg(t), CAST('[]' AS pg_catalog.json)) FROM (SELECT ";

/// Roles that are looked at; with more than that there is no backup.
pub const MOST_ROLES: usize = 5_000;
pub const MOST_DATABASES: usize = 1_000;

/// All roles but PostgreSQL's own and the one that reads the server's health, which every server has.
#[must_use]
pub fn roles() -> Sql {
    Sql::of(HEAD).then(
        "r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherits, r.rolcreaterole AS makes_roles, \
         r.rolcreatedb AS makes_databases, r.rolcanlogin AS login, r.rolreplication AS replication, \
         r.rolbypassrls AS bypasses_rls, r.rolconnlimit AS connection_limit, r.rolpassword AS verifier, \
         CAST(r.rolvaliduntil AS pg_catalog.text) AS valid_until, \
         pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment, \
         (SELECT pg_catalog.json_agg(s.c) FROM (SELECT pg_catalog.unnest(s.setconfig) AS c \
            FROM pg_catalog.pg_db_role_setting AS s \
            WHERE s.setrole OPERATOR(pg_catalog.=) r.oid AND s.setdatabase OPERATOR(pg_catalog.=) 0) AS s) AS settings, \
         (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('role', o.rolname, 'admin', a.admin_option, \
              'inherit', pg_catalog.to_jsonb(a) OPERATOR(pg_catalog.->) 'inherit_option', \
              'set', pg_catalog.to_jsonb(a) OPERATOR(pg_catalog.->) 'set_option')) \
            FROM pg_catalog.pg_auth_members AS a \
            JOIN pg_catalog.pg_authid AS o ON o.oid OPERATOR(pg_catalog.=) a.roleid \
            WHERE a.member OPERATOR(pg_catalog.=) r.oid) AS member_of \
         FROM pg_catalog.pg_authid AS r \
         WHERE pg_catalog.left(r.rolname, 3) OPERATOR(pg_catalog.<>) 'pg_' \
           AND r.rolname OPERATOR(pg_catalog.<>) 'seawall-monitor' \
         ORDER BY r.rolname LIMIT 5001) AS t",
    )
}

/// All databases that somebody can connect to and that are no templates.
#[must_use]
pub fn databases() -> Sql {
    Sql::of(HEAD).then(
        "d.datname AS name, o.rolname AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, \
         d.datcollate AS collate, d.datctype AS ctype, d.datconnlimit AS connection_limit, \
         pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'datlocprovider' AS provider, \
         COALESCE(pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'datlocale', \
           pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'daticulocale') AS locale, \
         pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'daticurules' AS rules, \
         pg_catalog.shobj_description(d.oid, 'pg_database') AS comment, \
         pg_catalog.pg_database_size(d.oid) AS bytes, \
         d.datacl IS NOT NULL AS has_access, \
         (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('role', g.rolname, 'privilege', a.privilege_type, \
              'grantable', a.is_grantable)) \
            FROM pg_catalog.aclexplode(d.datacl) AS a \
            LEFT JOIN pg_catalog.pg_authid AS g ON g.oid OPERATOR(pg_catalog.=) a.grantee) AS access, \
         (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('role', g.rolname, 'set', s.c)) \
            FROM (SELECT s.setrole, pg_catalog.unnest(s.setconfig) AS c FROM pg_catalog.pg_db_role_setting AS s \
              WHERE s.setdatabase OPERATOR(pg_catalog.=) d.oid) AS s \
            LEFT JOIN pg_catalog.pg_authid AS g ON g.oid OPERATOR(pg_catalog.=) s.setrole) AS settings \
         FROM pg_catalog.pg_database AS d \
         JOIN pg_catalog.pg_authid AS o ON o.oid OPERATOR(pg_catalog.=) d.datdba \
         WHERE d.datallowconn AND NOT d.datistemplate \
         ORDER BY d.datname LIMIT 1001) AS t",
    )
}

/// What lies in this database that is neither PostgreSQL's own nor an extension's, in one row of figures.
#[must_use]
pub fn contents() -> Sql {
    Sql::of(HEAD).then(
        "pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'r' OR c.kind OPERATOR(pg_catalog.=) 'p') AS tables, \
         pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'i' OR c.kind OPERATOR(pg_catalog.=) 'I') AS indexes, \
         pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'S') AS sequences, \
         pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'v' OR c.kind OPERATOR(pg_catalog.=) 'm') AS views, \
         pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'function') AS functions, \
         pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'schema') AS schemas, \
         pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'large') AS large_objects, \
         pg_catalog.count(*) FILTER (WHERE c.kind OPERATOR(pg_catalog.=) 'type') AS types \
         FROM (SELECT CAST(r.relkind AS pg_catalog.text) AS kind, r.relnamespace AS namespace, r.oid, \
             CAST('pg_catalog.pg_class' AS pg_catalog.regclass) AS class FROM pg_catalog.pg_class AS r \
             WHERE r.relpersistence OPERATOR(pg_catalog.<>) 't' \
           UNION ALL SELECT 'function', f.pronamespace, f.oid, CAST('pg_catalog.pg_proc' AS pg_catalog.regclass) \
             FROM pg_catalog.pg_proc AS f \
           UNION ALL SELECT 'type', t.typnamespace, t.oid, CAST('pg_catalog.pg_type' AS pg_catalog.regclass) \
             FROM pg_catalog.pg_type AS t WHERE t.typrelid OPERATOR(pg_catalog.=) 0 AND t.typelem OPERATOR(pg_catalog.=) 0 \
               AND t.typtype OPERATOR(pg_catalog.<>) 'm' \
           UNION ALL SELECT 'schema', n.oid, n.oid, CAST('pg_catalog.pg_namespace' AS pg_catalog.regclass) \
             FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.<>) 'public' \
           UNION ALL SELECT 'large', NULL, l.oid, CAST('pg_catalog.pg_largeobject' AS pg_catalog.regclass) \
             FROM pg_catalog.pg_largeobject_metadata AS l) AS c \
         LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.namespace \
         WHERE (n.oid IS NULL OR (n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog' \
             AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' \
             AND pg_catalog.left(n.nspname, 8) OPERATOR(pg_catalog.<>) 'pg_toast' \
             AND pg_catalog.left(n.nspname, 7) OPERATOR(pg_catalog.<>) 'pg_temp')) \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e WHERE e.objid OPERATOR(pg_catalog.=) c.oid \
             AND e.classid OPERATOR(pg_catalog.=) c.class AND e.deptype OPERATOR(pg_catalog.=) 'e')) AS t",
    )
}

/// Ends the sessions of a tool of ours, by the name that it gave.
#[must_use]
pub fn end_tool(name: &str) -> Sql {
    Sql::of(HEAD)
        .then(
            "pg_catalog.pg_terminate_backend(a.pid) AS ended FROM pg_catalog.pg_stat_activity AS a \
             WHERE a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() AND a.application_name OPERATOR(pg_catalog.=) ",
        )
        .literal(name)
        .then(" LIMIT 100) AS t")
}

/// Settings whose value is a list of names: each is quoted by itself (PostgreSQL source, `variable_is_guc_list_quote`).
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// `name = value`, of a setting as the catalog keeps it (`name=value`).
fn set(mut sql: Sql, setting: &str) -> Sql {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    // Of an extension's it is two names.
    for (index, part) in name.split('.').enumerate() {
        if index > 0 {
            sql = sql.then(".");
        }
        sql = sql.identifier(part);
    }
    sql = sql.then(" TO ");
    if !LISTS.contains(&name) {
        return sql.literal(value);
    }
    let names = names(value);
    if names.is_empty() {
        return sql.literal("");
    }
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            sql = sql.then(", ");
        }
        sql = sql.literal(name);
    }
    sql
}

/// The names of a list, as PostgreSQL splits it: what stands in double quotes is one, and `""` in there is a quote.
fn names(list: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => (quoted, any) = (!quoted, true),
            ',' if !quoted => {
                names.push(std::mem::take(&mut name));
                any = false;
            }
            c if c.is_whitespace() && !quoted => {}
            c => {
                name.push(c);
                any = true;
            }
        }
    }
    if any {
        names.push(name);
    }
    names
}

/// A role with all that is its own, as one transaction.
#[must_use]
pub fn make_role(role: &Role) -> Sql {
    let word = |on: bool, yes: &'static str, no: &'static str| if on { yes } else { no };
    let mut sql = Sql::of("CREATE ROLE ")
        .identifier(&role.name)
        .then(word(role.superuser, " SUPERUSER", " NOSUPERUSER"))
        .then(word(role.inherits, " INHERIT", " NOINHERIT"))
        .then(word(role.makes_roles, " CREATEROLE", " NOCREATEROLE"))
        .then(word(role.makes_databases, " CREATEDB", " NOCREATEDB"))
        .then(word(role.login, " LOGIN", " NOLOGIN"))
        .then(word(role.replication, " REPLICATION", " NOREPLICATION"))
        .then(word(role.bypasses_rls, " BYPASSRLS", " NOBYPASSRLS"));
    if let Ok(limit) = u32::try_from(role.connection_limit) {
        sql = sql.then(" CONNECTION LIMIT ").number(limit);
    }
    if let Some(verifier) = &role.verifier {
        sql = sql.then(" PASSWORD ").literal(verifier);
    }
    if let Some(until) = &role.valid_until {
        sql = sql.then(" VALID UNTIL ").literal(until);
    }
    if let Some(comment) = &role.comment {
        sql = sql.then("; COMMENT ON ROLE ").identifier(&role.name).then(" IS ").literal(comment);
    }
    for setting in &role.settings {
        sql = set(sql.then("; ALTER ROLE ").identifier(&role.name).then(" SET "), setting);
    }
    sql
}

/// `major`: of the server that makes it.
#[must_use]
pub fn make_member(role: &Role, of: &Member, major: u32) -> Sql {
    let mut sql = Sql::of("GRANT ").identifier(&of.role).then(" TO ").identifier(&role.name);
    let word = |on: bool| if on { "TRUE" } else { "FALSE" };
    if major >= 16 {
        sql = sql.then(" WITH ADMIN ").then(word(of.admin));
        if let Some(inherit) = of.inherit {
            sql = sql.then(", INHERIT ").then(word(inherit));
        }
        if let Some(set) = of.set {
            sql = sql.then(", SET ").then(word(set));
        }
    } else if of.admin {
        sql = sql.then(" WITH ADMIN OPTION");
    }
    sql
}

/// An empty one, from the template that has nothing of anybody's.
#[must_use]
pub fn make_database(database: &Database, major: u32) -> Sql {
    let mut sql = Sql::of("CREATE DATABASE ")
        .identifier(&database.name)
        .then(" TEMPLATE template0 OWNER ")
        .identifier(&database.owner)
        .then(" ENCODING ")
        .literal(&database.encoding)
        .then(" LC_COLLATE ")
        .literal(&database.collate)
        .then(" LC_CTYPE ")
        .literal(&database.ctype);
    if let (Some(provider), Some(locale)) = (database.provider(), &database.locale) {
        sql = match provider {
            Provider::Icu => sql.then(" LOCALE_PROVIDER icu ICU_LOCALE ").literal(locale),
            Provider::Builtin => sql.then(" LOCALE_PROVIDER builtin BUILTIN_LOCALE ").literal(locale),
        };
        if let (Provider::Icu, Some(rules), true) = (provider, &database.rules, major >= 16) {
            sql = sql.then(" ICU_RULES ").literal(rules);
        }
    }
    if let Ok(limit) = u32::try_from(database.connection_limit) {
        sql = sql.then(" CONNECTION LIMIT ").number(limit);
    }
    sql
}

fn on(sql: Sql, database: &str, access: &Access) -> Sql {
    // A word of the server's that is none of these is left out, as nothing of a backup becomes SQL unquoted.
    let privilege = match access.privilege.as_str() {
        "CREATE" => "CREATE",
        "CONNECT" => "CONNECT",
        _ => "TEMPORARY",
    };
    let sql = sql.then("; GRANT ").then(privilege).then(" ON DATABASE ").identifier(database).then(" TO ");
    let sql = match &access.role {
        Some(role) => sql.identifier(role),
        None => sql.then("PUBLIC"),
    };
    if access.grantable { sql.then(" WITH GRANT OPTION") } else { sql }
}

/// Who may do what with it, as one transaction; only where that is not what every database begins with.
#[must_use]
pub fn give_access(database: &Database) -> Sql {
    let revoke = Sql::of("REVOKE ALL ON DATABASE ").identifier(&database.name).then(" FROM PUBLIC");
    database.access.iter().fold(revoke, |sql, access| on(sql, &database.name, access))
}

#[must_use]
pub fn set_in(database: &str, setting: &Setting) -> Sql {
    let sql = match &setting.role {
        Some(role) => {
            Sql::of("ALTER ROLE ").identifier(role).then(" IN DATABASE ").identifier(database).then(" SET ")
        }
        None => Sql::of("ALTER DATABASE ").identifier(database).then(" SET "),
    };
    set(sql, &setting.set)
}

#[must_use]
pub fn comment(database: &str, text: &str) -> Sql {
    Sql::of("COMMENT ON DATABASE ").identifier(database).then(" IS ").literal(text)
}

/// Whether a server of this major has databases with a provider of the server's own.
#[must_use]
pub fn has_builtin(major: u32) -> bool {
    major >= NEWER_SINCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_postgresql_splits_them() {
        for (list, want) in [
            ("\"$user\", public", &["$user", "public"][..]),
            ("a,b , c", &["a", "b", "c"]),
            ("\"we\"\"ird, one\"", &["we\"ird, one"]),
            ("\"\"", &[""]),
            ("", &[]),
        ] {
            assert_eq!(names(list), want, "{list}");
        }
    }

    #[test]
    fn what_a_backup_says_stays_a_value() {
        let role = Role {
            name: "a\"; DROP DATABASE x; --".to_owned(),
            login: true,
            connection_limit: 5,
            verifier: Some("SCRAM-SHA-256$it's".to_owned()),
            comment: Some("it's".to_owned()),
            settings: vec!["search_path=\"$user\", pub'lic".to_owned(), "my.x=1; DROP".to_owned()],
            ..Role::default()
        };
        assert_eq!(
            make_role(&role).as_str(),
            "CREATE ROLE \"a\"\"; DROP DATABASE x; --\" NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS \
             CONNECTION LIMIT 5 PASSWORD 'SCRAM-SHA-256$it''s'; COMMENT ON ROLE \"a\"\"; DROP DATABASE x; --\" IS 'it''s'; \
             ALTER ROLE \"a\"\"; DROP DATABASE x; --\" SET \"search_path\" TO '$user', 'pub''lic'; \
             ALTER ROLE \"a\"\"; DROP DATABASE x; --\" SET \"my\".\"x\" TO '1; DROP'"
        );
        let access = |role: Option<&str>, privilege: &str| Access {
            role: role.map(str::to_owned),
            privilege: privilege.to_owned(),
            grantable: false,
        };
        let database = Database {
            name: "d".to_owned(),
            access: vec![access(None, "CONNECT"), access(Some("o"), "CREATE; DROP")],
            ..Database::default()
        };
        assert_eq!(
            give_access(&database).as_str(),
            "REVOKE ALL ON DATABASE \"d\" FROM PUBLIC; GRANT CONNECT ON DATABASE \"d\" TO PUBLIC; GRANT TEMPORARY ON DATABASE \"d\" TO \"o\""
        );
    }
}
