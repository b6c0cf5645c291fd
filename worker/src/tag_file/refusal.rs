//! Why a file, or one row of it, is not imported.

use super::{LARGEST, LONGEST_ROW, MOST_ROWS};

/// Why nothing of a file is imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefused {
    /// There is no header.
    #[error("The file is empty. Begin it with a header: armId,tagName,tagValue.")]
    Empty,
    /// The header cannot be read.
    #[error("The header cannot be read. It has to be one row of UTF-8, such as armId,tagName,tagValue.")]
    HeaderMalformed,
    /// Columns that have to be there are not.
    #[error(
        "The header lacks {}. It needs armId, tagName and tagValue, parted by commas, and may have action.",
        .0.join(", ")
    )]
    ColumnsMissing(Vec<&'static str>),
    /// The header has a column twice.
    #[error("The header has {0} twice. Leave one of them out.")]
    ColumnTwice(&'static str),
    /// There are too many rows.
    #[error("The file has more than {MOST_ROWS} rows. Import it in parts.")]
    TooManyRows,
    /// It is too large.
    #[error("The file is larger than {LARGEST} bytes. Import it in parts.")]
    TooLarge,
}

/// Why a row is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowRefused {
    /// It is not what RFC 4180 calls a row, or not UTF-8.
    Malformed,
    /// It is too long.
    TooLong,
    /// It has more or fewer cells than the header.
    WrongColumnCount,
    /// There is no such resource among those that the viewer reaches.
    UnknownResource,
    /// What is to be done is neither of those that can be.
    UnknownAction,
    /// The tag has no name.
    NameEmpty,
    /// The tag's name is longer than Azure takes anywhere.
    NameTooLong,
    /// The tag's value is longer than Azure takes anywhere.
    ValueTooLong,
    /// An earlier row wants something else of the same tag of the same resource.
    TagTwice {
        /// The line of that row.
        first: u64,
    },
}

impl RowRefused {
    /// For programs to know it by.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED_ROW",
            Self::TooLong => "ROW_TOO_LONG",
            Self::WrongColumnCount => "WRONG_COLUMN_COUNT",
            Self::UnknownResource => "UNKNOWN_RESOURCE",
            Self::UnknownAction => "UNKNOWN_ACTION",
            Self::NameEmpty => "NAME_EMPTY",
            Self::NameTooLong => "NAME_TOO_LONG",
            Self::ValueTooLong => "VALUE_TOO_LONG",
            Self::TagTwice { .. } => "TAG_TWICE",
        }
    }

    /// A sentence that says what to do.
    pub fn message(self) -> String {
        let message = match self {
            Self::Malformed => {
                "The row is no CSV in UTF-8. Close each quote, double quotes within a cell, and leave NUL out."
            }
            Self::TooLong => {
                return format!("The row is longer than {LONGEST_ROW} bytes. Is a quote left open?");
            }
            Self::WrongColumnCount => "The row has to have as many cells as the header.",
            Self::UnknownResource => {
                "There is no such resource among those that you reach. Give its ARM id, and scan its tenant if it \
                 is new."
            }
            Self::UnknownAction => "The action is SET or REMOVE; an empty one is SET.",
            Self::NameEmpty => "Give the tag a name.",
            Self::NameTooLong => "Azure allows names of 512 characters.",
            Self::ValueTooLong => "Azure allows values of 256 characters.",
            Self::TagTwice { first } => {
                return format!("Line {first} wants something else of the same tag. Leave one of both out.");
            }
        };
        message.to_owned()
    }
}
