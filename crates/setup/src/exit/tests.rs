use super::*;

#[test]
fn a_reason_ends_with_one_full_stop() {
    for why in ["it is so", "it is so.", "it is so.."] {
        let exit = Exit::new(Code::Failed, "No.", why, "none.");
        assert_eq!(exit.message, "No.\nWhy: it is so.\nFix: none.");
    }
    assert_eq!(sentence("did you mean it?"), "did you mean it?");
    let opened = OpenError::Owned("No.\nWhy: it is so..\nFix: none.".into());
    assert_eq!(
        Exit::from(opened).message,
        "No.\nWhy: it is so.\nFix: none."
    );
}
