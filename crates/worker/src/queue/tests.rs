use super::order_of;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn said(body: &str) -> Result<Option<String>, String> {
    order_of(body).map(|id| id.map(|id| id.to_string()))
}

#[test]
fn a_message_names_an_order_by_its_first_event_or_its_bare_id() {
    let event = format!(r#"{{"specversion":"1.0","type":"order.created.v1","subject":"{ID}"}}"#);
    let enveloped =
        |message: &str| serde_json::json!({"Type": "Notification", "Message": message}).to_string();
    for body in [
        ID.to_owned(),
        format!(" {ID}\n"),
        format!("\"{ID}\""),
        event.clone(),
        event.replace("created", "due"),
        enveloped(ID),
        enveloped(&event),
    ] {
        assert_eq!(said(&body), Ok(Some(ID.to_owned())), "{body}");
    }
}

#[test]
fn other_events_are_nothing_to_do() {
    let event = format!(r#"{{"type":"order.completed.v1","subject":"{ID}"}}"#);
    assert_eq!(said(&event), Ok(None));
}

#[test]
fn what_names_no_order_is_told_why() {
    for (body, why) in [
        ("", "it is neither an order's id nor an event"),
        ("nonsense", "it is neither an order's id nor an event"),
        ("{", "it is neither an order's id nor an event"),
        ("{}", "it is neither an order's id nor an event"),
        ("[]", "it is neither an order's id nor an event"),
        ("17", "it is neither an order's id nor an event"),
        ("\"17\"", "it is a text that is no order's id"),
        (r#"{"Message":"17"}"#, "what SNS delivered is neither"),
        (
            r#"{"type":"order.created.v1","subject":"17"}"#,
            "its subject is no order's id",
        ),
        (
            r#"{"type":"order.created.v9","subject":"17"}"#,
            "nobody knows events of its type",
        ),
    ] {
        let error = said(body).unwrap_err();
        assert!(error.starts_with(why), "{body}: {error}");
    }
}
