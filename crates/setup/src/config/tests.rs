use super::sources::{File, Sources, parse_env};
use super::{Anonymous, Config, Origin, resolve, settings, shown, variable};
use crate::exit::{Code, Exit};
use std::collections::BTreeMap;
use std::time::Duration;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn environment(pairs: &[(&str, &str)]) -> Sources {
    Sources {
        environment: map(pairs),
        ..Sources::default()
    }
}

fn file(text: &str) -> Sources {
    let file = File {
        path: "orderd.toml".into(),
        text: text.to_owned(),
    };
    Sources {
        files: vec![file],
        ..Sources::default()
    }
}

fn refusal(sources: &Sources) -> String {
    let error = resolve(sources).expect_err("it is refused");
    let exit = error.downcast::<Exit>().expect("it has an exit code");
    assert_eq!(exit.code, Code::Configuration);
    exit.message
}

fn listen(config: &Config) -> String {
    config.settings.server.listen.to_string()
}

#[test]
fn the_defaults_are_sound() {
    let config = resolve(&Sources::default()).unwrap();
    assert_eq!(listen(&config), "127.0.0.1:8080");
    assert_eq!(
        config.settings.idempotency.retention,
        Duration::from_hours(30 * 24)
    );
    assert_eq!(config.settings.access.anonymous, Anonymous::Auto);
    assert!(config.warnings.is_empty());
    assert_eq!(config.origins(), "defaults");
}

#[test]
fn a_stronger_source_wins() {
    let mut sources = Sources::default();
    let check = |sources: &Sources, address: &str, origin: Origin| {
        let config = resolve(sources).unwrap();
        assert_eq!(listen(&config), address);
        assert_eq!(config.values["server.listen"].origin, origin);
    };
    let file = |path: &str, text: &str| File {
        path: path.into(),
        text: text.to_owned(),
    };
    check(&sources, "127.0.0.1:8080", Origin::Default);

    sources.files = vec![file("/etc/x", "\n[server]\nlisten = '127.0.0.1:1'")];
    check(&sources, "127.0.0.1:1", Origin::File("/etc/x".into(), 3));
    sources
        .files
        .insert(0, file("x", "server.listen = '127.0.0.1:2'"));
    check(&sources, "127.0.0.1:2", Origin::File("x".into(), 1));
    sources.env_file = map(&[("PORT", "3")]);
    check(&sources, "127.0.0.1:3", Origin::EnvFile("PORT".into()));
    sources.env_file = map(&[("PORT", "3"), ("ORDERD_LISTEN", "localhost:4")]);
    check(
        &sources,
        "127.0.0.1:4",
        Origin::EnvFile("ORDERD_LISTEN".into()),
    );
    sources.environment = map(&[("PORT", "5")]);
    check(&sources, "127.0.0.1:5", Origin::Environment("PORT".into()));
    sources.environment = map(&[("PORT", "5"), ("ORDERD_SERVER_LISTEN", "[::1]:6")]);
    check(
        &sources,
        "[::1]:6",
        Origin::Environment("ORDERD_SERVER_LISTEN".into()),
    );
    sources.flags = vec![("--listen", "server.listen", "127.0.0.1:7".to_owned())];
    check(&sources, "127.0.0.1:7", Origin::Flag("--listen"));
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    let check = |sources: &Sources, expected: &[&str]| {
        let message = refusal(sources);
        for part in expected {
            assert!(
                message.contains(part),
                "{message:?} should contain {part:?}"
            );
        }
    };
    check(&file("[cache]\nttl = 1"), &["`cache.ttl` (orderd.toml:2)"]);
    check(
        &file("[server]\nlisen = ''"),
        &["orderd.toml:2", "did you mean `server.listen`?"],
    );
    check(&file("colour = 1"), &["`colour` (orderd.toml:1)"]);
    check(
        &file("[server]\n\nlisten = 8080"),
        &["orderd.toml:3", "invalid type", "127.0.0.1:8080"],
    );
    check(&file("[server\n"), &["orderd.toml:1"]);
    check(
        &file("[limits]\nbody_max_bytes = -1"),
        &["`limits.body_max_bytes`", "from 1024"],
    );
    check(
        &file("[admin]\npassword = 123456"),
        &["`admin.password`", "must be text"],
    );
    check(
        &environment(&[("PORT", "http")]),
        &["PORT", "\"http\" is no port"],
    );
    check(
        &environment(&[("ORDERD_IDEMPOTENCY_RETENTION", "forever")]),
        &[
            "environment: ORDERD_IDEMPOTENCY_RETENTION",
            "\"forever\"",
            "\"30d\"",
        ],
    );
    check(
        &environment(&[("ORDERD_IDEMPOTENCY_MISMATCH_STATUS", "404")]),
        &["409 or 422"],
    );
    check(
        &environment(&[("ORDERD_FAULTS_ENABLED", "maybe")]),
        &["faults.enabled", "maybe"],
    );
    check(
        &environment(&[("ORDERD_LOG_LEVEL", "info,hyper=loud")]),
        &["log.level"],
    );
    check(
        &environment(&[("ORDERD_ADMIN_PASSWORD_FILE", "/no/such")]),
        &["/no/such", "file"],
    );
    assert!(!refusal(&file("[admin]\npassword = 123456")).contains("123456"));
}

#[test]
fn an_unknown_variable_is_one_warning_and_those_of_kubernetes_are_none() {
    let sources = environment(&[
        ("ORDERD_LISTN", "1"),
        ("ORDERD_CACHE", "1"),
        ("ORDERD_PORT", "tcp://10.0.0.1:80"),
        ("ORDERD_PORT_80_TCP", "x"),
        ("ORDERD_SERVICE_HOST", "10.0.0.1"),
        ("ORDERD_URL", "http://127.0.0.1:1"),
    ]);
    let warnings = resolve(&sources).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].ends_with("ORDERD_CACHE, ORDERD_LISTN"),
        "{warnings:?}"
    );
}

#[test]
fn the_table_of_orders_has_its_own_name_where_orders_are_in_dynamodb() {
    let url = |variables: &[(&str, &str)]| {
        let config = resolve(&environment(variables)).unwrap();
        config.settings.database.store_url()
    };
    let dynamodb = ("DATABASE_URL", "dynamodb://shop");
    assert_eq!(url(&[dynamodb]), "dynamodb://shop");
    for name in ["ORDERS_TABLE", "DYNAMODB_ORDERS_TABLE"] {
        let named = (name, "order-table");
        assert_eq!(
            url(&[dynamodb, named]),
            "dynamodb://shop?orders=order-table"
        );
        assert_eq!(
            url(&[("DATABASE_URL", "sqlite:x.db"), named]),
            "sqlite:x.db"
        );
    }
}

#[test]
fn the_four_names_of_a_mysql_database_make_a_url_and_a_password_is_never_shown() {
    let four = [
        ("DATABASE_URL", "sqlite:weaker.db"),
        ("DB_USER", "u"),
        ("DB_PASS", "p@s/s"),
        ("DB_HOST", "h"),
        ("DB_NAME", "n"),
    ];
    let config = resolve(&environment(&four)).unwrap();
    assert_eq!(config.settings.database.url, "mysql://u:p%40s%2Fs@h/n");
    let seen = shown("database.url", &config.values["database.url"].value);
    assert_eq!(seen.as_str(), Some("mysql://***@h/n"));

    let config = resolve(&environment(&[("ADMIN_PASSWORD", "123456")])).unwrap();
    assert_eq!(config.settings.admin.password, "123456");
    assert_eq!(
        shown("admin.password", &config.values["admin.password"].value).as_str(),
        Some("***")
    );
    assert!(!format!("{config:?}").contains("123456"));
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn a_secret_can_be_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    std::fs::write(&path, "correct horse battery\n").unwrap();
    let path = path.to_str().unwrap();
    let config = resolve(&environment(&[("ORDERD_ADMIN_PASSWORD_FILE", path)])).unwrap();
    assert_eq!(config.settings.admin.password, "correct horse battery");
    assert!(config.warnings.is_empty());
}

#[test]
fn a_level_is_understood_as_others_write_it() {
    let check = |name: &str, value: &str, level: &str| {
        let config = resolve(&environment(&[(name, value)])).unwrap();
        assert_eq!(config.settings.log.level, level, "{name}={value}");
    };
    check("LOG_LEVEL", "WARNING", "warn");
    check("POWERTOOLS_LOG_LEVEL", "CRITICAL", "error");
    check("LOG_LEVEL", "verbose", "info");
}

#[test]
fn a_topic_is_an_arn_and_a_queue_a_url() {
    let check = |name: &str, value: &str, is_fine: bool| {
        let resolved = resolve(&environment(&[(name, value)]));
        assert_eq!(resolved.is_ok(), is_fine, "{name}={value}");
    };
    let topic = "arn:aws:sns:eu-west-1:123456789012:order-events";
    check("SNS_TOPIC_ARN", topic, true);
    check("SNS_TOPIC_ARN", &topic.replace("aws", "aws-cn"), true);
    check("COMPLETION_SNS_TOPIC_ARN", &format!("{topic}.fifo"), true);
    check("SNS_TOPIC_ARN", "order-events", false);
    check("SNS_TOPIC_ARN", &topic.replace("sns", "sqs"), false);
    let queue = "ORDERD_WORKER_QUEUE_URL";
    check(queue, "https://sqs.eu-west-1.amazonaws.com/1/orders", true);
    check(queue, "arn:aws:sqs:eu-west-1:1:orders", false);
}

#[test]
fn durations_have_a_unit() {
    let check = |text: &str, millis: Option<u64>| {
        assert_eq!(
            settings::parse_duration(text),
            millis.map(Duration::from_millis),
            "{text}"
        );
    };
    check("250ms", Some(250));
    check("5s", Some(5_000));
    check("10 m", Some(600_000));
    check("12h", Some(43_200_000));
    check("30d", Some(2_592_000_000));
    check("3651d", None);
    check("0s", None);
    check("5", None);
    check("s", None);
    check("", None);
    check("-5s", None);
    check("99999999999999999999s", None);
}

#[test]
fn an_env_file_is_read_as_a_shell_would() {
    let text = "# comment\nA=1\nexport B = two words # end\nC=\"x # y\"\nD='q'\n\nnonsense\nE=\n";
    let expected = map(&[
        ("A", "1"),
        ("B", "two words"),
        ("C", "x # y"),
        ("D", "q"),
        ("E", ""),
    ]);
    assert_eq!(parse_env(text), expected);
}

#[test]
fn a_variable_is_named_after_its_key() {
    assert_eq!(
        variable("idempotency.retention"),
        "ORDERD_IDEMPOTENCY_RETENTION"
    );
}

#[test]
fn a_password_by_itself_becomes_part_of_the_url() {
    let url = |url: &str, password: &str| {
        let pairs = [
            ("DATABASE_URL", url),
            ("ORDERD_DATABASE_PASSWORD", password),
        ];
        resolve(&environment(&pairs)).map(|config| config.settings.database.url)
    };
    let check = |given: &str, expected: &str| {
        assert_eq!(url(given, "p@ss/w:rd").unwrap(), expected);
    };
    check(
        "postgres://u@h:5432/d",
        "postgres://u:p%40ss%2Fw%3Ard@h:5432/d",
    );
    check(
        "mysql+pymysql://u@h/d",
        "mysql+pymysql://u:p%40ss%2Fw%3Ard@h/d",
    );
    check("postgres://u:old@h/d", "postgres://u:p%40ss%2Fw%3Ard@h/d");
    for refused in [
        "postgres://h/d",
        "sqlite:orderd.db",
        "dynamodb://orders",
        "x",
    ] {
        let error = url(refused, "hunter2").unwrap_err().to_string();
        assert!(error.contains("ORDERD_DATABASE_PASSWORD"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn proxies_are_named_by_address_or_network() {
    let check = |text: &str, expected: &[&str]| {
        let config = resolve(&environment(&[("ORDERD_SERVER_TRUSTED_PROXIES", text)]));
        let networks = config.unwrap().settings.server.trusted_proxies;
        let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, expected);
    };
    check("", &[]);
    check("127.0.0.1, 10.0.0.0/16", &["127.0.0.1/32", "10.0.0.0/16"]);
    check("::1,fd00::/8", &["::1/128", "fd00::/8"]);
    let message = refusal(&environment(&[("ORDERD_SERVER_TRUSTED_PROXIES", "nginx")]));
    assert!(message.contains("10.0.0.0/8"), "{message}");
}
