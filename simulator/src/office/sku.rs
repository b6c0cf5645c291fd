//! <https://learn.microsoft.com/en-us/entra/identity/users/licensing-service-plan-reference>: what the tenant bought.

use uuid::Uuid;

/// A service whose use is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Exchange,
    OneDrive,
    SharePoint,
    Skype,
    Yammer,
    Teams,
    /// Microsoft 365 Apps.
    Apps,
}

impl Service {
    /// Those of which a licence is reported, in the order of Microsoft's columns.
    pub(crate) const REPORTED: [Self; 6] =
        [Self::Exchange, Self::OneDrive, Self::SharePoint, Self::Skype, Self::Yammer, Self::Teams];
}

/// A service plan: what a licence switches on.
pub(crate) struct Plan {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    services: &'static [Service],
}

const fn plan(id: u128, name: &'static str, services: &'static [Service]) -> Plan {
    Plan { id: Uuid::from_u128(id), name, services }
}

use Service::{Apps, Exchange, OneDrive, SharePoint, Skype, Teams, Yammer};

const MAIL: Plan = plan(0xefb8_7545_963c_4e0d_99df_69c6_916d_9eb0, "EXCHANGE_S_ENTERPRISE", &[Exchange]);
const SMALL_MAIL: Plan = plan(0x9aaf_7827_d63c_4b61_89c3_182f_06f8_2e5c, "EXCHANGE_S_STANDARD", &[Exchange]);
const TINY_MAIL: Plan = plan(0x4a82_b400_a79f_41a4_b4e2_e94f_5787_b113, "EXCHANGE_S_DESKLESS", &[Exchange]);
const SITES: Plan =
    plan(0x5dbe_027f_2339_4123_9542_606e_4d34_8a72, "SHAREPOINTENTERPRISE", &[OneDrive, SharePoint]);
const SMALL_SITES: Plan =
    plan(0xc769_9d2e_19aa_44de_8edf_1736_da08_8ca1, "SHAREPOINTSTANDARD", &[OneDrive, SharePoint]);
const TINY_SITES: Plan =
    plan(0x902b_47e5_dcb2_4fdc_858b_c63a_90a2_bdb9, "SHAREPOINTDESKLESS", &[OneDrive, SharePoint]);
const TEAMS: Plan = plan(0x57ff_2da0_773e_42df_b2af_ffb7_a231_7929, "TEAMS1", &[Teams]);
const SKYPE: Plan = plan(0x0fea_eb32_d00e_4d66_bd5a_43b5_b83d_b82c, "MCOSTANDARD", &[Skype]);
const APPS: Plan = plan(0x43de_0ff5_c92c_492b_9116_1753_76d0_8c38, "OFFICESUBSCRIPTION", &[Apps]);
const FLOW: Plan = plan(0x50e6_8c76_46c6_4674_81f9_7545_6511_b170, "FLOW_P2_VIRAL", &[]);
const PREMIUM: Plan = plan(0x4178_1fb2_bc02_4b7c_bd55_b576_c07b_b09d, "AAD_PREMIUM", &[]);
/// The one that some licences have switched off.
pub(crate) const YAMMER: Plan =
    plan(0x7547_a3fe_08ee_4ccb_b430_5077_c504_1653, "YAMMER_ENTERPRISE", &[Yammer]);

/// A product, as the tenant subscribes to it.
pub(crate) struct Sku {
    pub(crate) id: Uuid,
    pub(crate) part_number: &'static str,
    /// As reports write it.
    pub(crate) product: &'static str,
    pub(crate) plans: &'static [Plan],
    /// Of a hundred who have a product of this kind, how many have this one.
    share: u64,
    pub(crate) mailbox_gigabytes: u64,
}

const fn sku(
    id: u128,
    part_number: &'static str,
    product: &'static str,
    share: u64,
    mailbox_gigabytes: u64,
    plans: &'static [Plan],
) -> Sku {
    Sku { id: Uuid::from_u128(id), part_number, product, plans, share, mailbox_gigabytes }
}

/// How many of [`SKUS`] are suites, of which somebody has one at most.
const SUITES: usize = 6;

/// Suites, then what is assigned beside them. The last one is in no list of names.
pub(crate) const SKUS: [Sku; 9] = [
    sku(
        0x06eb_c4ee_1bb5_47dd_8120_1132_4bc5_4e06,
        "SPE_E5",
        "MICROSOFT 365 E5",
        15,
        100,
        &[MAIL, SITES, TEAMS, SKYPE, YAMMER, APPS, PREMIUM],
    ),
    sku(
        0x05e9_a617_0261_4cee_bb44_138d_3ef5_d965,
        "SPE_E3",
        "MICROSOFT 365 E3",
        40,
        100,
        &[MAIL, SITES, TEAMS, SKYPE, YAMMER, APPS, PREMIUM],
    ),
    sku(
        0x1818_1a46_0d4e_45cd_891e_60aa_bd17_1b4e,
        "STANDARDPACK",
        "OFFICE 365 E1",
        15,
        50,
        &[SMALL_MAIL, SMALL_SITES, TEAMS, SKYPE, YAMMER],
    ),
    sku(
        0xcbdc_14ab_d96c_4c30_b9f4_6ada_7cdc_1d46,
        "SPB",
        "MICROSOFT 365 BUSINESS PREMIUM",
        10,
        50,
        &[SMALL_MAIL, SMALL_SITES, TEAMS, SKYPE, YAMMER, APPS, PREMIUM],
    ),
    sku(
        0x66b5_5226_6b4f_492c_910c_a3b7_a3c9_d993,
        "SPE_F1",
        "MICROSOFT 365 F3",
        15,
        2,
        &[TINY_MAIL, TINY_SITES, TEAMS, SKYPE, YAMMER, PREMIUM],
    ),
    sku(
        0x4b94_05b0_7788_4568_add1_9961_4e61_3b69,
        "EXCHANGESTANDARD",
        "EXCHANGE ONLINE (PLAN 1)",
        5,
        50,
        &[SMALL_MAIL],
    ),
    sku(
        0xf30d_b892_07e9_47e9_837c_8072_7f46_fd3d,
        "FLOW_FREE",
        "MICROSOFT POWER AUTOMATE FREE",
        30,
        0,
        &[FLOW],
    ),
    sku(0xc592_8f49_12ba_48f7_ada3_0d74_3a36_01d5, "VISIOCLIENT", "VISIO ONLINE PLAN 2", 4, 0, &[]),
    sku(0x5eed_0000_0000_4000_8000_0000_0000_0365, "M365_PILOT_X", "M365_PILOT_X", 3, 0, &[]),
];

/// Licences that somebody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Licences {
    held: u16,
    /// Whether the plan [`YAMMER`] is switched off in them.
    without_yammer: bool,
}

impl Licences {
    /// Those of somebody with this luck.
    pub(crate) fn of(luck: u64) -> Self {
        // What is left of 106 has no suite.
        let mut left = luck % 106;
        let suite = SKUS[..SUITES].iter().position(|sku| match left.checked_sub(sku.share) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        let mut held = suite.map_or(0, |index| 1 << index);
        for (index, sku) in SKUS.iter().enumerate().skip(SUITES) {
            let own = (luck >> (8 * (index - SUITES + 1))) % 100;
            held |= u16::from(own < sku.share) << index;
        }
        Self { held, without_yammer: (luck >> 40).is_multiple_of(12) }
    }

    /// The products of these part numbers; those that are not known are left out.
    pub(crate) fn named(part_numbers: &[&str]) -> Self {
        let bit = |(index, sku): (usize, &Sku)| u16::from(part_numbers.contains(&sku.part_number)) << index;
        Self { held: SKUS.iter().enumerate().map(bit).sum(), without_yammer: false }
    }

    pub(crate) fn has(self, index: usize) -> bool {
        self.held & (1 << index) != 0
    }

    pub(crate) fn skus(self) -> impl Iterator<Item = &'static Sku> {
        SKUS.iter().enumerate().filter(move |(index, _)| self.has(*index)).map(|(_, sku)| sku)
    }

    /// The plans of a product that are switched off for the holder.
    pub(crate) fn disabled_plans(self, sku: &Sku) -> Vec<Uuid> {
        let off = sku.plans.iter().filter(|plan| plan.id == YAMMER.id && self.without_yammer);
        off.map(|plan| plan.id).collect()
    }

    pub(crate) fn includes(self, service: Service) -> bool {
        let is_off = |plan: &Plan| plan.id == YAMMER.id && self.without_yammer;
        self.skus().flat_map(|sku| sku.plans).any(|plan| plan.services.contains(&service) && !is_off(plan))
    }

    /// Whether any reported service is in them.
    pub(crate) fn are_reported(self) -> bool {
        self.held & ((1 << SUITES) - 1) != 0
    }

    /// As reports write them.
    pub(crate) fn products(self) -> String {
        self.skus().map(|sku| sku.product).collect::<Vec<_>>().join("+")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::mix;

    #[test]
    fn nobody_has_two_suites_and_some_have_none() {
        let all: Vec<_> = (0..2_000).map(|number| Licences::of(mix(7, number))).collect();
        let suites = |one: &Licences| (0..SUITES).filter(|&index| one.has(index)).count();
        assert!(all.iter().all(|one| suites(one) <= 1));
        assert!(all.iter().any(|one| suites(one) == 0));
        for (index, sku) in SKUS.iter().enumerate() {
            assert!(all.iter().any(|one| one.has(index)), "{} is nobody's", sku.part_number);
        }
    }

    #[test]
    fn a_plan_that_is_switched_off_is_no_licence_for_its_service() {
        let all = (0..2_000).map(|number| Licences::of(mix(7, number)));
        let mut off = all.filter(|one| one.skus().any(|sku| !one.disabled_plans(sku).is_empty())).peekable();
        assert!(off.peek().is_some());
        assert!(off.all(|one| !one.includes(Service::Yammer) && one.includes(Service::Exchange)));
    }
}
