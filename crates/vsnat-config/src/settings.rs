//! `[settings]`: how the packet path treats odd cases, by IPVS's names.

use vsnat_api::{Setting, SettingName};

use crate::mistake::Notes;
use crate::section::Section;

/// The settings that the file names, in the order of their names' list.
pub(crate) fn read(section: &Section, notes: &mut Notes) -> Vec<Setting> {
    section.check_keys(&SettingName::ALL.map(SettingName::name), notes);
    let settings = SettingName::ALL.into_iter();
    let settings = settings.filter_map(|name| setting(section, name, notes));
    settings.collect()
}

fn setting(section: &Section, name: SettingName, notes: &mut Notes) -> Option<Setting> {
    let number = section.integer(name.name(), notes)?;
    let value = u32::try_from(*number.get_ref()).ok();
    match value.and_then(|value| Setting::new(name, value).ok()) {
        Some(setting) => Some(setting),
        None => {
            let (least, most) = name.range();
            let message = match least == most {
                true => format!("{name} can only be {least} so far"),
                false => format!("{name} must be from {least} to {most}"),
            };
            notes.add(number.span(), message);
            None
        }
    }
}
