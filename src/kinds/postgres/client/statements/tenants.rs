//! The statements that are about tenants. What [`super`] says holds for them, too.
//!
//! A tenant has an owner without login, and logins that act as it (`ALTER ROLE … SET role`): whatever either makes belongs to
//! the owner, so that one login can take the other's place. What was made for it is marked in the comment of its roles,
//! which only a superuser can write.

use super::Sql;

/// Roles and databases that are looked at; with more than that nothing is known.
pub const MOST: usize = 5_000;

/// All roles and databases, as one JSON text.
#[must_use]
pub fn survey() -> Sql {
    Sql::of(
        "SELECT pg_catalog.json_build_object(\
         'databases', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(\
             'name', d.datname, 'oid', d.oid, 'owner', d.datdba, 'limit', d.datconnlimit, 'allows', d.datallowconn, \
             'public', pg_catalog.has_database_privilege('public', d.oid, 'CONNECT'))) \
           FROM (SELECT * FROM pg_catalog.pg_database ORDER BY datname LIMIT 5001) AS d), \
         'roles', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(\
             'name', r.rolname, 'oid', r.oid, 'login', r.rolcanlogin, 'inherits', r.rolinherit, \
             'more', r.rolsuper OR r.rolcreatedb OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls, \
             'limited', r.rolconnlimit OPERATOR(pg_catalog.<>) (-1) \
               OR COALESCE(r.rolvaliduntil OPERATOR(pg_catalog.<>) 'infinity', false), \
             'password', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(r.rolpassword, 'UTF8')), 'hex'), \
             'mark', pg_catalog.left(pg_catalog.shobj_description(r.oid, 'pg_authid'), 200), \
             'actsAs', (SELECT pg_catalog.substr(c, 6) \
               FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c \
               WHERE s.setrole OPERATOR(pg_catalog.=) r.oid AND s.setdatabase OPERATOR(pg_catalog.=) 0 \
                 AND pg_catalog.left(c, 5) OPERATOR(pg_catalog.=) pg_catalog.concat('role', pg_catalog.chr(61)) LIMIT 1), \
             'of', (SELECT pg_catalog.json_agg(g.rolname) FROM (SELECT o.rolname FROM pg_catalog.pg_auth_members AS a \
               JOIN pg_catalog.pg_authid AS o ON o.oid OPERATOR(pg_catalog.=) a.roleid \
               WHERE a.member OPERATOR(pg_catalog.=) r.oid ORDER BY o.rolname LIMIT 50) AS g), \
             'owns', EXISTS (SELECT FROM pg_catalog.pg_shdepend AS p WHERE p.refobjid OPERATOR(pg_catalog.=) r.oid \
               AND p.deptype OPERATOR(pg_catalog.=) 'o' AND p.dbid OPERATOR(pg_catalog.<>) 0), \
             'sessions', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a \
               WHERE a.usesysid OPERATOR(pg_catalog.=) r.oid))) \
           FROM (SELECT * FROM pg_catalog.pg_authid ORDER BY rolname LIMIT 5001) AS r \
           WHERE pg_catalog.left(r.rolname, 3) OPERATOR(pg_catalog.<>) 'pg_'))",
    )
}

/// Without login, and marked at once, so that none is left of which nobody knows whose it is.
#[must_use]
pub fn make_role(name: &str, mark: &str) -> Sql {
    let sql = Sql::of("CREATE ROLE ").identifier(name).then(" NOLOGIN; COMMENT ON ROLE ").identifier(name);
    sql.then(" IS ").literal(mark)
}

/// Nothing beyond being the owner.
#[must_use]
pub fn bind_login(login: &str, owner: &str) -> Sql {
    Sql::of("GRANT ")
        .identifier(owner)
        .then(" TO ")
        .identifier(login)
        .then("; ALTER ROLE ")
        .identifier(login)
        .then(" SET role TO ")
        .literal(owner)
}

#[must_use]
pub fn leave(role: &str, member: &str) -> Sql {
    Sql::of("REVOKE ").identifier(role).then(" FROM ").identifier(member).then(" CASCADE")
}

#[must_use]
pub fn plain_role(role: &str) -> Sql {
    Sql::of("ALTER ROLE ").identifier(role).then(
        " NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity'",
    )
}

/// A login that has a verifier and is not open yet.
#[must_use]
pub fn set_verifier(login: &str, verifier: &str) -> Sql {
    Sql::of("ALTER ROLE ").identifier(login).then(" PASSWORD ").literal(verifier)
}

#[must_use]
pub fn open(login: &str) -> Sql {
    Sql::of("ALTER ROLE ").identifier(login).then(" LOGIN")
}

#[must_use]
pub fn close(role: &str) -> Sql {
    Sql::of("ALTER ROLE ").identifier(role).then(" NOLOGIN")
}

#[must_use]
pub fn end_sessions(login: &str) -> Sql {
    Sql::of(
        "SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(a.pid)) FROM pg_catalog.pg_stat_activity AS a \
         WHERE a.usename OPERATOR(pg_catalog.=) CAST(",
    )
    .literal(login)
    .then(" AS pg_catalog.name)")
}

/// Closed, until nothing in it is everybody's.
#[must_use]
pub fn make_database(name: &str, owner: &str) -> Sql {
    Sql::of("CREATE DATABASE ")
        .identifier(name)
        .then(" OWNER ")
        .identifier(owner)
        .then(" ALLOW_CONNECTIONS false")
}

#[must_use]
pub fn own_database(name: &str, owner: &str) -> Sql {
    Sql::of("ALTER DATABASE ").identifier(name).then(" OWNER TO ").identifier(owner)
}

#[must_use]
pub fn from_public(database: &str) -> Sql {
    Sql::of("REVOKE ALL ON DATABASE ").identifier(database).then(" FROM PUBLIC")
}

#[must_use]
pub fn allow(database: &str) -> Sql {
    Sql::of("ALTER DATABASE ").identifier(database).then(" ALLOW_CONNECTIONS true")
}

/// With the sessions that are in it, whoever's they are.
#[must_use]
pub fn drop_database(name: &str) -> Sql {
    Sql::of("DROP DATABASE ").identifier(name).then(" WITH (FORCE)")
}

#[must_use]
pub fn drop_role(name: &str) -> Sql {
    Sql::of("DROP ROLE ").identifier(name)
}

/// `None`: as many as the server takes.
#[must_use]
pub fn limit(database: &str, connections: Option<u32>) -> Sql {
    let sql = Sql::of("ALTER DATABASE ").identifier(database).then(" CONNECTION LIMIT ");
    match connections {
        Some(most) => sql.number(most),
        None => sql.then("-1"),
    }
}

/// In the tenant's database.
#[must_use]
pub fn schema_from_public() -> Sql {
    Sql::of("REVOKE ALL ON SCHEMA public FROM PUBLIC")
}

/// Whether everybody still may do something in schema `public` of the database that it is asked in.
#[must_use]
pub fn schema_is_public() -> Sql {
    Sql::of(
        "SELECT CASE WHEN EXISTS(SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'public' \
         AND (pg_catalog.has_schema_privilege('public', n.oid, 'USAGE') \
           OR pg_catalog.has_schema_privilege('public', n.oid, 'CREATE'))) THEN 'true' ELSE 'false' END",
    )
}

/// Of the version that is made: whether everybody who may make something in the database may make it, and the schema that
/// it insists on.
#[must_use]
pub fn about_extension(name: &str) -> Sql {
    Sql::of(
        "SELECT CASE WHEN v.trusted THEN 'true' ELSE 'false' END, v.schema \
         FROM pg_catalog.pg_available_extension_versions AS v JOIN pg_catalog.pg_available_extensions AS e \
           ON e.name OPERATOR(pg_catalog.=) v.name AND e.default_version OPERATOR(pg_catalog.=) v.version \
         WHERE v.name OPERATOR(pg_catalog.=) CAST(",
    )
    .literal(name)
    .then(" AS pg_catalog.name)")
}

/// Whether no tenant can have laid anything in the way of a script in the database that it is asked in: nothing in it that
/// could be run belongs to one, and neither login lets in, nor another one that acts as the owner.
#[must_use]
pub fn is_untouched(logins: [&str; 2]) -> Sql {
    Sql::of(
        "SELECT CASE WHEN EXISTS(SELECT FROM (SELECT p.proowner AS owner FROM pg_catalog.pg_proc AS p \
             UNION ALL SELECT p.oprowner FROM pg_catalog.pg_operator AS p UNION ALL SELECT p.typowner FROM pg_catalog.pg_type AS p) AS o \
           JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) o.owner WHERE NOT r.rolsuper) \
         OR EXISTS(SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolcanlogin \
           AND r.rolname OPERATOR(pg_catalog.=) ANY (ARRAY[CAST(",
    )
    .literal(logins[0])
    .then(" AS pg_catalog.name), CAST(")
    .literal(logins[1])
    .then(
        " AS pg_catalog.name)])) \
         OR EXISTS(SELECT FROM pg_catalog.pg_auth_members AS m \
           JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) m.member \
           JOIN pg_catalog.pg_database AS d ON d.datdba OPERATOR(pg_catalog.=) m.roleid \
           WHERE r.rolcanlogin AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) \
         THEN 'false' ELSE 'true' END",
    )
}

#[must_use]
pub fn has_extension(name: &str) -> Sql {
    Sql::of("SELECT CASE WHEN EXISTS(SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname OPERATOR(pg_catalog.=) CAST(")
        .literal(name)
        .then(" AS pg_catalog.name)) THEN 'true' ELSE 'false' END")
}

/// In `public`, unless it insists on another schema. Those that it requires are made by name only: nobody asked whether they
/// are trusted.
#[must_use]
pub fn extension(name: &str, insists: bool) -> Sql {
    let sql = Sql::of("CREATE EXTENSION IF NOT EXISTS ").identifier(name);
    if insists { sql } else { sql.then(" SCHEMA public") }
}

/// In the tenant's database: what a login made as itself.
#[must_use]
pub fn hand_to_owner(login: &str, owner: &str) -> Sql {
    Sql::of("REASSIGN OWNED BY ").identifier(login).then(" TO ").identifier(owner)
}

#[cfg(test)]
#[path = "tenants_tests.rs"]
mod tests;
