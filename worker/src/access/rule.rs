//! What is decided about roles without asking anybody: by whoever changes access, and by whoever plans that.

use entity::operation_step::Outcome;
use entity::role_assignment::Origin;
use entity::subscription::AzureState;
use microsoft::{MicrosoftError, Permissions, Role};

use super::{ASSIGN, REMOVE};

/// The roles that have to be held in the end, where `has` tells which are held; `needed` are those of the level that
/// was asked for, if one was.
pub(crate) fn wanted(needed: Option<&'static [Role]>, has: impl Fn(Role) -> bool) -> &'static [Role] {
    match needed {
        Some(roles) => roles,
        // An onboarding takes whatever lets us read, and adds Reader where nothing does.
        None if has(Role::TagContributor) && !has(Role::Reader) => &[Role::TagContributor],
        None => &[Role::Reader],
    }
}

/// Whether no role can be assigned because of the subscription's state.
pub(crate) fn is_frozen(state: AzureState) -> bool {
    matches!(state, AzureState::Disabled | AzureState::Deleted)
}

/// Whether the consenting user may give roles to others, and take them away if that `removes` any.
pub(crate) fn is_permitted(permissions: &Permissions, removes: bool) -> bool {
    permissions.allows(ASSIGN) && (!removes || permissions.allows(REMOVE))
}

/// How it came that the roles are held, where `has` tells of which origins they are.
pub(crate) fn outcome_of_held(has: impl Fn(Origin) -> bool) -> Outcome {
    match () {
        () if has(Origin::Ours) => Outcome::Granted,
        () if has(Origin::Adopted) => Outcome::AlreadyGranted,
        () => Outcome::Inherited,
    }
}

/// What the refusal of a delegated call comes to, where trying again cannot help.
pub(crate) fn outcome_of_refusal(error: &MicrosoftError) -> Outcome {
    match error {
        MicrosoftError::Forbidden { .. } => Outcome::NotPermitted,
        MicrosoftError::ConditionBlocked { .. } => Outcome::ConditionBlocked,
        MicrosoftError::SubscriptionDisabled { .. } => Outcome::SubscriptionDisabled,
        MicrosoftError::LimitReached { .. } => Outcome::LimitReached,
        MicrosoftError::WindowClosed { .. } => Outcome::NeedsReconsent,
        _ => Outcome::Failed,
    }
}
