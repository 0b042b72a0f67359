//! How the service API offers a Redis: the names of the product brief.

use crate::kinds::{Form, Parameter, Service};

pub const SERVICE: Service = Service {
    parameters: &[
        Parameter::new("version", "/version", Form::Text).instead_of("docker_image"),
        Parameter::new("docker_image", "/image", Form::Text).instead_of("version"),
        Parameter::new("username", "/username", Form::Text).fixed(),
        Parameter::new("password", "/password", Form::Secret),
        Parameter::new("port", "/port", Form::Number),
        Parameter::new("size", "/size", Form::Text),
        Parameter::new("persistence", "/persistence", Form::Text),
        Parameter::new("eviction_policy", "/evictionPolicy", Form::Text),
    ],
    variables: &["REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_USER", "REDIS_PASSWORD", "REDIS_PREFIX"],
};
