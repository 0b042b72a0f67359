//! How the service API offers a PostgreSQL: the names of the product brief.

use crate::kinds::{Form, Parameter, Service};

pub const SERVICE: Service = Service {
    parameters: &[
        Parameter::new("version", "/version", Form::Text).instead_of("docker_image"),
        Parameter::new("docker_image", "/image", Form::Text).instead_of("version"),
        Parameter::new("database", "/database", Form::Text).required().fixed(),
        Parameter::new("username", "/username", Form::Text).required().fixed(),
        Parameter::new("password", "/password", Form::Secret).required(),
        Parameter::new("port", "/port", Form::Number),
        Parameter::new("max_connections", "/parameters/max_connections", Form::Number),
        Parameter::new("size", "/size", Form::Text),
    ],
    variables: &[
        "POSTGRES_URL",
        "POSTGRES_HOST",
        "POSTGRES_PORT",
        "POSTGRES_DB",
        "POSTGRES_DATABASE",
        "POSTGRES_NAME",
        "POSTGRES_USER",
        "POSTGRES_PASSWORD",
        "DATABASE_URL",
    ],
};
