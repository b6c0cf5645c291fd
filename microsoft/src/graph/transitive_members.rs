//! Everybody who is in a group, also through other groups.
//!
//! <https://learn.microsoft.com/en-us/graph/api/group-list-transitivemembers>; needs `Group.Read.All`.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::batch::Question;
use super::groups::GroupMember;
use crate::error::codes;
use crate::{Graph, MicrosoftError};

/// Who is in a group; or why that cannot be had.
pub type Found = Result<Vec<GroupMember>, MicrosoftError>;

#[derive(Deserialize)]
struct Page {
    value: Vec<GroupMember>,
    #[serde(rename = "@odata.nextLink")]
    next_link: Option<String>,
}

impl Graph {
    /// Who is in each of these groups. One that cannot be read, or is not there any more, does not hide the others.
    /// All are held at once: ask about as many groups as there is room for.
    pub async fn transitive_members(
        &self,
        tenant: Uuid,
        groups: &[Uuid],
    ) -> Result<BTreeMap<Uuid, Found>, MicrosoftError> {
        let mut found: Vec<Found> = groups.iter().map(|_| Ok(Vec::new())).collect();
        let first = |group| format!("/groups/{group}/transitiveMembers?$select=id&$top=999");
        let all = groups.iter().enumerate();
        let mut questions: VecDeque<_> =
            all.map(|(number, group)| Question::new(number, first(group))).collect();
        while !questions.is_empty() {
            for (question, answer) in self.ask(tenant, &mut questions).await? {
                let page = answer.and_then(|body| self.page_of(&question, body));
                let Some(found) = found.get_mut(question.number) else { continue };
                match (page, found) {
                    (Ok((page, next)), Ok(found)) => {
                        found.extend(page);
                        questions.extend(next);
                    }
                    (Err(error), found) => *found = Err(error),
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        Ok(groups.iter().copied().zip(found).collect())
    }

    /// A page, and the question for the next one.
    fn page_of(
        &self,
        question: &Question,
        body: Value,
    ) -> Result<(Vec<GroupMember>, Option<Question>), MicrosoftError> {
        let page: Page = serde_json::from_value(body)
            .map_err(|_| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "no page of members"))?;
        let Some(link) = page.next_link.filter(|link| !link.is_empty()) else {
            return Ok((page.value, None));
        };
        let url = self.link.base().follow(&link)?;
        let version = self.link.base().at("/v1.0");
        let path = url.as_str().strip_prefix(version.as_str());
        let path =
            path.ok_or_else(|| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "a link to another version"))?;
        if path == question.path {
            return Err(MicrosoftError::of(&codes::INCOMPLETE_ANSWER, "a page names itself as the next"));
        }
        Ok((page.value, Some(Question::new(question.number, path.to_owned()))))
    }
}
