use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LOGIN: &str = "http://127.0.0.1:41234/";
const TENANT: &str = "8d3bb2a1-3c53-4d21-9a3b-0f7c7c5b0f55";

fn jwt(algorithm: &str, claims: &Value, signature: usize) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = json!({ "typ": "JWT", "alg": algorithm });
    let signature = vec![0xa7; signature];
    let (header, claims) = (header.to_string(), claims.to_string());
    format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()), encode(&signature))
}

fn microsoft(issuer: &str) -> String {
    let claims = json!({ "iss": issuer, "aud": "https://management.azure.com", "tid": TENANT,
        "scp": "user_impersonation", "exp": 1_800_000_000, "upn": "ann@contoso.com" });
    jwt("RS256", &claims, 256)
}

fn enrollment_key() -> String {
    let claims = json!({ "EnrollmentNumber": "100", "Id": TENANT, "ReportView": "System", "PartnerId": "",
        "DepartmentId": "", "AccountId": "", "iss": "ea.microsoftazure.com",
        "aud": "client.ea.microsoftazure.com", "exp": 1_800_000_000, "nbf": 1_784_188_800 });
    jwt("RS256", &claims, 256)
}

fn read(text: &str) -> Pasted {
    Pasted::read(&SecretString::from(text), LOGIN)
}

fn kind_if_whole(text: &str) -> Option<Kind> {
    match read(text) {
        Pasted::AccessToken(_) => Some(Kind::AccessToken),
        Pasted::Microsoft(_) => Some(Kind::Microsoft),
        Pasted::EnrollmentKey(_) => Some(Kind::EnrollmentKey),
        Pasted::Incomplete(_) | Pasted::Unknown => None,
    }
}

#[test]
fn each_kind_is_told_by_its_prefix_or_its_issuer() {
    let access_token = AccessTokenSecret::random();
    assert_eq!(kind_if_whole(access_token.expose_secret()), Some(Kind::AccessToken));
    for issuer in [
        format!("https://sts.windows.net/{TENANT}/"),
        format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        format!("http://127.0.0.1:41234/{TENANT}/v2.0"),
    ] {
        assert_eq!(kind_if_whole(&microsoft(&issuer)), Some(Kind::Microsoft), "{issuer}");
    }
    assert_eq!(kind_if_whole(&enrollment_key()), Some(Kind::EnrollmentKey));
    for issuer in [
        "https://sts.windows.net/common/".to_owned(),
        format!("https://sts.windows.net.evil.example/{TENANT}/"),
        format!("https://login.microsoftonline.com/{TENANT}"),
        format!("https://evil.example/{TENANT}/v2.0"),
    ] {
        assert!(matches!(read(&microsoft(&issuer)), Pasted::Unknown), "{issuer}");
    }
}

#[test]
fn what_a_token_says_is_read_and_who_it_names_is_not_kept() {
    let Pasted::Microsoft(token) = read(&microsoft(&format!("https://sts.windows.net/{TENANT}/"))) else {
        panic!("a Microsoft token")
    };
    assert_eq!(token.tenant_id.to_string(), TENANT);
    assert_eq!(token.scopes.as_deref(), Some(&["user_impersonation".to_owned()][..]));
    assert_eq!(token.expires_at.timestamp(), 1_800_000_000);
    let shown = format!("{token:?}");
    assert!(!shown.contains("eyJ") && !shown.contains("ann"), "{shown}");
    let key = EnrollmentKeySecret::read(&SecretString::from(enrollment_key())).unwrap();
    assert_eq!((key.enrollment_number(), key.expires_at().timestamp()), ("100", 1_800_000_000));
    assert!(!format!("{key:?}").contains("eyJ"));
}

#[test]
fn what_comes_along_when_something_is_copied_is_taken_off() {
    for token in [enrollment_key(), AccessTokenSecret::random().expose_secret().to_owned()] {
        for copied in [
            format!("  {token}\r\n"),
            format!("Bearer {token}"),
            format!("bearer  {token} "),
            format!("Authorization: Bearer {token}"),
            format!("\"{token}\","),
            format!("'Bearer {token}'"),
            format!("\u{feff}{token}\u{200b}"),
        ] {
            assert!(kind_if_whole(&copied).is_some(), "{copied}");
        }
    }
    assert!(matches!(read("Bearer"), Pasted::Unknown));
    assert!(matches!(read(&format!("Bearer{}", enrollment_key())), Pasted::Incomplete(_)));
}

#[test]
fn a_signature_is_as_long_as_its_algorithm_makes_them() {
    let claims = json!({ "iss": format!("https://sts.windows.net/{TENANT}/"), "aud": "x", "tid": TENANT,
        "exp": 1_800_000_000 });
    for (algorithm, bytes) in [
        ("RS256", 256),
        ("RS256", 384),
        ("RS256", 512),
        ("PS256", 256),
        ("HS256", 32),
        ("HS512", 64),
        ("ES256", 64),
        ("ES512", 132),
        ("unheard-of", 40),
    ] {
        assert!(Jwt::parse(&jwt(algorithm, &claims, bytes)).is_some(), "{algorithm} {bytes}");
        let cut = if algorithm == "unheard-of" { 31 } else { bytes - 1 };
        assert!(Jwt::parse(&jwt(algorithm, &claims, cut)).is_none(), "{algorithm} {cut}");
    }
    assert!(Jwt::parse(&jwt("none", &claims, 0)).is_none());
}

#[test]
fn a_key_that_is_something_else_is_told_from_one_that_was_cut() {
    let read = |text: &str| EnrollmentKeySecret::read(&SecretString::from(text)).err();
    let token = microsoft(&format!("https://sts.windows.net/{TENANT}/"));
    assert_eq!(read(&token), Some(NotAKey::AnotherKind));
    assert_eq!(read(&token[..token.len() - 1]), Some(NotAKey::AnotherKind));
    assert_eq!(read("nonsense"), Some(NotAKey::AnotherKind));
    assert_eq!(read(&enrollment_key()[..40]), Some(NotAKey::Incomplete));
    assert_eq!(read(&enrollment_key()), None);
    let without = json!({ "iss": "ea.microsoftazure.com", "exp": 1_800_000_000 });
    assert_eq!(read(&jwt("RS256", &without, 256)), Some(NotAKey::AnotherKind));
}

proptest! {
    #[test]
    fn any_cut_of_a_jwt_is_incomplete(at in any::<prop::sample::Index>(), which in 0..2) {
        let whole = if which == 0 { enrollment_key() } else { microsoft(&format!("https://sts.windows.net/{TENANT}/")) };
        let at = 3 + at.index(whole.len() - 3);
        prop_assert!(matches!(read(&whole[..at]), Pasted::Incomplete(_)), "{at}");
        // Once the claims can be read, the kind is told too.
        let last = whole.rfind('.').unwrap();
        let told = match read(&whole[..at]) { Pasted::Incomplete(kind) => kind, _ => Kind::AccessToken };
        prop_assert_eq!(told != Kind::Unknown, at >= last, "{}", at);
        let first = whole.find('.').unwrap();
        if at <= first {
            prop_assert!(matches!(read(&whole[at.min(first)..]), Pasted::Incomplete(_)), "{at}");
        }
        prop_assert!(kind_if_whole(&whole[at..]).is_none());
    }

    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,80}", tail in "[A-Za-z0-9._-]{0,80}") {
        for odd in [text, format!("eyJ{tail}"), format!("tnt_{tail}"), tail] {
            prop_assert!(kind_if_whole(&odd).is_none(), "{}", odd);
        }
    }
}
