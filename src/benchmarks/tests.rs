#![expect(clippy::float_cmp, reason = "figures are those of the file, not near them")]

use super::*;

fn peers(year: u16, industry: &str, organisation_size: &str) -> Result<Peers, Unknown> {
    Choice { year, industry: industry.to_owned(), organisation_size: organisation_size.to_owned() }.find()
}

fn means(group: &Group) -> [f64; 4] {
    [group.lead_time, group.deployment_frequency, group.change_failure_rate, group.recovery_time].map(|s| s.mean)
}

#[test]
fn figures_are_those_of_the_files_with_ten_for_best() {
    let found = peers(2025, "technology", "fewer_than_500").unwrap();
    // industry: rates 1.9 and 2.3, recovery as it is; size: recovery 2.6 stands for 7.4
    assert_eq!(means(found.industry), [5.7, 4.9, 8.1, 7.4]);
    assert_eq!(found.industry.rework_rate, Some(Score { mean: 7.7, std: 2.2 }));
    assert_eq!(means(found.organisation_size), [5.6, 4.8, 8.1, 7.4]);
    assert_eq!(found.organisation_size.recovery_time.std, 2.1);
    let found = peers(2024, "energy", "fewer_than_00002").unwrap();
    assert_eq!(means(found.industry), [4.6, 4.9, 7.3, 6.6]);
    assert_eq!(means(found.organisation_size), [5.2, 4.8, 6.3, 5.3]);
    assert_eq!(found.industry.rework_rate, None, "not asked in 2024");
}

#[test]
fn both_files_of_a_year_say_the_same_of_all() {
    for edition in EDITIONS.iter() {
        let (by_industry, by_size) = (&edition.industries["all"], &edition.organisation_sizes["all"]);
        assert_eq!(means(by_industry), means(by_size), "{}: one of them points the other way", edition.year);
        assert_eq!(by_industry.rework_rate, by_size.rework_rate);
    }
}

#[test]
fn every_figure_points_the_same_way() {
    for edition in EDITIONS.iter() {
        for group in edition.industries.values().chain(edition.organisation_sizes.values()) {
            let name = &group.name;
            // most recover within a week, and most deployments do not fail
            let good = [Some(group.recovery_time), Some(group.change_failure_rate), group.rework_rate];
            assert!(good.into_iter().flatten().all(|score| (5.0..10.0).contains(&score.mean)), "{name}");
            let scores = [Some(group.lead_time), Some(group.deployment_frequency)].into_iter().chain(good);
            assert!(scores.flatten().all(|s| (0.0..=10.0).contains(&s.mean) && (0.5..5.0).contains(&s.std)), "{name}");
        }
    }
}

#[test]
fn every_edition_names_its_source() {
    for edition in EDITIONS.iter() {
        let Source { title, url, data, attribution, licence, .. } = &edition.source;
        assert!([title, url, data, attribution, licence].iter().all(|text| !text.is_empty()));
    }
    assert!(EDITIONS.iter().all(|edition| edition.respondents.as_ref().is_none_or(|r| r.url.starts_with("https://"))));
}

#[test]
fn what_is_not_published_is_refused_with_what_is() {
    let refused = |year, industry, size| peers(year, industry, size).err().map(|u| (u.field, u.problem)).unwrap();
    assert_eq!(refused(2023, "all", "all"), ("year", "expected 2024 or 2025, found 2023".to_owned()));
    let (field, problem) = refused(2025, "banking", "all");
    assert_eq!(field, "industry");
    assert!(problem.starts_with("expected one of all, consumer, education, energy, financial_services,"), "{problem}");
    assert!(problem.ends_with("(of 2025), found \"banking\""), "{problem}");
    let (field, problem) = refused(2024, "all", "solo");
    assert_eq!(field, "organisation_size");
    assert!(problem.contains("fewer_than_00002"), "{problem}");
    assert!(Choice::default().find().is_ok());
}
