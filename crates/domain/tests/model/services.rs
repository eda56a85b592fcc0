//! The payment and inventory services of the model: what took effect, and what is answered.

use domain::fulfil::{Answer, CallKind, Refused};

/// What took effect outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an effect of its own"
)]
pub(crate) struct Services {
    pub(crate) authorised: u8,
    pub(crate) captured: u8,
    pub(crate) voided: bool,
    pub(crate) declined: bool,
    pub(crate) reserved: u8,
    pub(crate) committed: u8,
    pub(crate) released: bool,
    pub(crate) sold_out: bool,
    pub(crate) refunded: u8,
}

impl Services {
    /// A call arrives, and takes effect if it still can. Asked again under the same effect id, the
    /// answer is the same.
    pub(crate) fn take(&mut self, call: CallKind, effect_ids: bool) -> Answer {
        let once = |count: &mut u8| {
            *count = if effect_ids { 1 } else { *count + 1 };
            Answer::Done
        };
        let no = |why| Answer::Refused(why, "no".into());
        match call {
            CallKind::Authorise if self.voided || self.declined => no(Refused::Declined),
            CallKind::Authorise => once(&mut self.authorised),
            CallKind::Capture if self.captured > 0 && effect_ids => Answer::Done,
            CallKind::Capture if self.voided || self.authorised == 0 => no(Refused::Declined),
            CallKind::Capture => once(&mut self.captured),
            CallKind::Look if self.captured > 0 => Answer::Done,
            CallKind::Look => Answer::NotCaptured,
            CallKind::Void if self.captured > 0 => Answer::Captured,
            CallKind::Void => {
                self.voided = true;
                Answer::Done
            }
            CallKind::Reserve if self.released || self.sold_out => no(Refused::OutOfStock),
            CallKind::Reserve => once(&mut self.reserved),
            CallKind::Commit => once(&mut self.committed),
            CallKind::Release => {
                self.released = true;
                Answer::Done
            }
            CallKind::Refund => once(&mut self.refunded),
        }
    }

    /// The service does not want to, and never will.
    pub(crate) fn refuse(&mut self, call: CallKind) -> Answer {
        if call == CallKind::Reserve {
            self.sold_out = true;
            return Answer::Refused(Refused::OutOfStock, "none left".into());
        }
        self.declined = true;
        Answer::Refused(Refused::Declined, "no money".into())
    }

    pub(crate) fn may_refuse(&self, call: CallKind) -> bool {
        match call {
            CallKind::Reserve => self.reserved == 0 && !self.sold_out,
            CallKind::Authorise => self.authorised == 0 && !self.declined,
            _ => false,
        }
    }
}
