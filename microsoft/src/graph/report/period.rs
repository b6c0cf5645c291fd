//! The span of days that a report is about.

/// The last so many days until the report's refresh date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A week.
    D7,
    /// A month.
    D30,
    /// A quarter.
    D90,
    /// Half a year.
    D180,
}

impl Period {
    /// Every period there is.
    pub const ALL: [Self; 4] = [Self::D7, Self::D30, Self::D90, Self::D180];

    /// How many days it has.
    pub fn days(self) -> u16 {
        match self {
            Self::D7 => 7,
            Self::D30 => 30,
            Self::D90 => 90,
            Self::D180 => 180,
        }
    }

    /// As Graph writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::D7 => "D7",
            Self::D30 => "D30",
            Self::D90 => "D90",
            Self::D180 => "D180",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_days() {
        assert!(Period::ALL.iter().all(|period| period.as_str() == format!("D{}", period.days())));
    }
}
