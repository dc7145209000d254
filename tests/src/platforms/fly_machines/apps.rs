//! Apps, their addresses, and what an organisation has.

use std::sync::Arc;

use serde_json::{Value, json};

use super::ORGANIZATION;
use super::answer::{Answer, refuse};
use super::world::{App, World};

/// Machines on one page of an organisation's list: few, so that there are several.
const PAGE: usize = 2;

impl World {
    /// Makes an app.
    pub(super) fn create_app(&self, body: &Value) -> Answer {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let (name, organization, network) = (text("name"), text("org_slug"), text("network"));
        if organization != ORGANIZATION {
            return refuse(403, "you are not a member of this organization");
        }
        let fine =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if name.is_empty() || name.len() > 62 || !fine {
            return refuse(
                422,
                "Validation failed: Name under 63 chars using numbers, lowercase letters and dashes",
            );
        }
        let mut state = self.lock();
        if state.apps.contains_key(&name) {
            return Answer::new(
                422,
                json!({ "error": "Validation failed: Name has already been taken", "status": "name_taken" }),
            );
        }
        state.apps.insert(name.clone(), App { organization, network, addresses: Vec::new() });
        Answer::new(201, json!({ "id": name, "created_at": jiff::Timestamp::now().as_millisecond() }))
    }

    /// Shows an app.
    pub(super) fn show_app(&self, name: &str) -> Answer {
        let state = self.lock();
        let Some(app) = state.apps.get(name) else { return refuse(404, "Could not find App") };
        let machines = state.of_app(name).count();
        Answer::new(
            200,
            json!({
                "id": name, "name": name, "network": app.network, "machine_count": machines, "status": "deployed",
                "organization": { "name": app.organization, "slug": app.organization },
            }),
        )
    }

    /// All apps of an organisation.
    pub(super) fn list_apps(&self, organization: &str) -> Answer {
        if organization != ORGANIZATION {
            return refuse(403, "you are not a member of this organization");
        }
        let state = self.lock();
        let apps: Vec<_> = state
            .apps
            .iter()
            .filter(|(_, app)| app.organization == organization)
            .map(|(name, app)| json!({ "id": name, "name": name, "network": app.network, "machine_count": state.of_app(name).count() }))
            .collect();
        Answer::new(200, json!({ "total_apps": apps.len(), "apps": apps }))
    }

    /// Removes an app and its machines.
    pub(super) fn delete_app(self: &Arc<Self>, name: &str, force: bool) -> Answer {
        let machines: Vec<String> = self.lock().of_app(name).map(|machine| machine.id.clone()).collect();
        if !machines.is_empty() && !force {
            return refuse(422, "the app has machines");
        }
        for machine in machines {
            self.destroy(&machine, true);
        }
        match self.lock().apps.remove(name) {
            Some(_) => Answer::new(202, Value::Null),
            None => refuse(404, "Could not find App"),
        }
    }

    /// Shows or gives addresses of an app.
    pub(super) fn addresses(&self, name: &str, body: Option<&Value>) -> Answer {
        let mut state = self.lock();
        let Some(app) = state.apps.get_mut(name) else { return refuse(404, "Could not find App") };
        let shown = |address: &String| json!({ "ip": address, "shared": true, "region": "global", "service_name": "" });
        match body {
            None => Answer::new(200, json!({ "ips": app.addresses.iter().map(shown).collect::<Vec<_>>() })),
            Some(_) => {
                let address = "66.241.124.1".to_owned();
                let answer = shown(&address);
                app.addresses.push(address);
                Answer::new(200, answer)
            }
        }
    }

    /// An app's machines.
    pub(super) fn list_machines(&self, app: &str, query: &[(String, String)]) -> Answer {
        let wanted = |metadata: &Value| {
            query.iter().all(|(name, value)| match name.strip_prefix("metadata.") {
                Some(key) => metadata[key] == *value,
                None => true,
            })
        };
        let state = self.lock();
        let machines: Vec<_> = state
            .of_app(app)
            .filter(|machine| wanted(&machine.config["metadata"]))
            .map(|machine| machine.shown())
            .collect();
        Answer::new(200, machines.into())
    }

    /// One page of an organisation's machines. The cursor is the last one's id: others come and go, and none that stays is left
    /// out.
    pub(super) fn list_of_organization(&self, organization: &str, cursor: Option<&str>) -> Answer {
        if organization != ORGANIZATION {
            return refuse(403, "you are not a member of this organization");
        }
        let after = cursor.unwrap_or_default();
        let state = self.lock();
        let is_theirs = |app: &str| state.apps.get(app).is_some_and(|app| app.organization == organization);
        let mut rest = state.machines.iter().filter(|(id, machine)| {
            id.as_str() > after && machine.state != "destroyed" && is_theirs(&machine.app)
        });
        let shown: Vec<_> = rest.by_ref().take(PAGE).collect();
        let next = rest.next().and(shown.last()).map(|(id, _)| id.as_str());
        let page: Vec<_> = shown
            .iter()
            .map(|(_, machine)| {
                let mut shown = machine.shown();
                shown["app_name"] = machine.app.as_str().into();
                shown
            })
            .collect();
        Answer::new(200, json!({ "machines": page, "next_cursor": next, "error_regions": [] }))
    }
}
