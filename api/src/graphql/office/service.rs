//! The services of Office 365, and the figures and columns that are about each.

use async_graphql::Enum;
use entity::office::report_row::Column;

/// A service of Office 365.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "OfficeService")]
pub enum OfficeService {
    /// Any of the others.
    #[graphql(name = "OFFICE_365")]
    Office365,
    /// Exchange: mail and calendars.
    Exchange,
    /// `OneDrive`.
    Onedrive,
    /// `SharePoint`.
    Sharepoint,
    /// Skype for Business.
    Skype,
    /// Yammer, which is Viva Engage now.
    Yammer,
    /// Teams.
    Teams,
}

impl OfficeService {
    /// Every service.
    pub const ALL: [Self; 7] = [
        Self::Office365,
        Self::Exchange,
        Self::Onedrive,
        Self::Sharepoint,
        Self::Skype,
        Self::Yammer,
        Self::Teams,
    ];

    /// How the names of its figures begin.
    pub const fn figure(self) -> &'static str {
        match self {
            Self::Office365 => "office365",
            Self::Exchange => "exchange",
            Self::Onedrive => "onedrive",
            Self::Sharepoint => "sharepoint",
            Self::Skype => "skype",
            Self::Yammer => "yammer",
            Self::Teams => "teams",
        }
    }

    /// The days of the last activity in it.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Office365 => &[
                Column::ActiveOn,
                Column::ExchangeOn,
                Column::OnedriveOn,
                Column::SharepointOn,
                Column::SkypeOn,
                Column::YammerOn,
                Column::TeamsOn,
            ],
            Self::Exchange => &[Column::ExchangeOn],
            Self::Onedrive => &[Column::OnedriveOn],
            Self::Sharepoint => &[Column::SharepointOn],
            Self::Skype => &[Column::SkypeOn],
            Self::Yammer => &[Column::YammerOn],
            Self::Teams => &[Column::TeamsOn],
        }
    }
}
