//! Money: whole minor units (cents) and a currency. No floats, no silent overflow.

use std::fmt;

/// An amount in the minor unit of its currency; `1999` is 19.99 USD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many minor units.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The number of minor units.
    #[must_use]
    pub const fn as_minor(self) -> i64 {
        self.0
    }

    /// The amount in whole units of `currency`, with all its decimals: `2000` cents are `20.00`.
    #[must_use]
    pub fn to_fixed(self, currency: Currency) -> String {
        let digits = usize::from(currency.minor_digits());
        let sign = if self.0 < 0 { "-" } else { "" };
        let padded = format!("{:0>width$}", self.0.unsigned_abs(), width = digits + 1);
        let (whole, part) = padded.split_at(padded.len() - digits);
        let point = if digits == 0 { "" } else { "." };
        format!("{sign}{whole}{point}{part}")
    }

    /// The amount in whole units of `currency`, in as few digits as it takes: `1990` cents are
    /// `19.9`, `2000` are `20`.
    #[must_use]
    pub fn to_decimal(self, currency: Currency) -> String {
        let fixed = self.to_fixed(currency);
        if fixed.contains('.') {
            return fixed.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        fixed
    }

    /// The sum, or `None` where it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// This amount `count` times, or `None` where it does not fit.
    #[must_use]
    pub const fn checked_times(self, count: u32) -> Option<Self> {
        match self.0.checked_mul(count as i64) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }
}

/// A currency by its three upper-case letters (ISO 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// United States dollars, the default of the setting `currency.default`.
    pub const USD: Self = Self(*b"USD");

    /// Three upper-case ASCII letters. Whether such a currency exists is not looked up.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(letters))
    }

    /// How many decimals its minor unit has (ISO 4217): cents are two. A currency that is not in
    /// the list of exceptions has two.
    #[must_use]
    pub const fn minor_digits(self) -> u8 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters get in")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
