//! The models of the widgets and their twins in the frontend, which talk by comms: what the kernel of a notebook and
//! its frontend say to each other in the protocol of Jupyter's widgets.
//!
//! Source: "Jupyter widgets messaging protocol", version 2.1, and "Jupyter widgets model state", of the packages
//! `@jupyter-widgets/base` and `controls` 2.0 and `output` 1.0.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;

use oxtorch_protocol::{Comm, CommAction, CommRequest, FromHost};
use serde_json::{Map, Value, json};

use super::controls::Model;
use crate::cell;
use crate::display::MimeBundle;
use crate::host::{channel, checkpoint};

/// The comm target of widgets in the frontend.
const TARGET: &str = "jupyter.widget";

/// The one over which a frontend asks for all of them, as it does when its page is loaded again.
const CONTROL_TARGET: &str = "jupyter.widget.control";

/// The version of the messages.
const PROTOCOL: &str = "2.1.0";

/// The MIME type that a frontend draws a widget for.
const VIEW: &str = "application/vnd.jupyter.widget-view+json";

/// A widget to be made.
#[derive(Debug)]
pub struct Widget {
    /// Its name in the frontend's library.
    name: &'static str,
    /// That of its style.
    style: &'static str,
    state: Map<String, Value>,
}

impl Widget {
    /// A widget with a description beside it.
    pub(super) fn described<const N: usize>(
        name: &'static str,
        style: &'static str,
        description: &str,
        state: [(&str, Value); N],
    ) -> Self {
        let mut state: Map<String, Value> = state.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        state.insert("description".to_owned(), description.into());
        state.insert("disabled".to_owned(), false.into());
        Self { name, style, state }
    }
}

/// Controls that the user sees, and what they are for.
pub(super) trait Panel {
    /// The control of that number.
    fn control(&mut self, index: usize) -> Option<&mut dyn Model>;

    /// Shows what their values give. On a new page, displays of an earlier one are fixed, so it is shown below the
    /// controls as well.
    fn refresh(&mut self, on_new_page: bool);
}

/// What a model is to its panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The control of that number.
    Control(usize),
    /// Where the frontend shows what is printed.
    Output,
    /// How others look.
    Part,
}

/// A model with a twin in the frontend.
struct Twin {
    view: u64,
    role: Role,
    state: Map<String, Value>,
}

/// A panel that the user sees.
struct Open {
    panel: Rc<RefCell<dyn Panel>>,
    place: &'static Location<'static>,
    /// The run of the cell that has made it.
    run: u64,
}

#[derive(Default)]
struct Widgets {
    /// By the number of their view.
    open: BTreeMap<u64, Open>,
    /// By the name of their comm.
    twins: BTreeMap<String, Twin>,
    views: u64,
    /// Where what is printed now is shown.
    printing: Option<String>,
    /// The last view that was there when a page was loaded again.
    last_of_old_page: u64,
}

thread_local! {
    /// Of the thread that runs cells.
    static WIDGETS: RefCell<Widgets> = RefCell::default();
}

/// A new view whose controls are not connected yet.
pub(super) struct View {
    number: u64,
    /// The comm of the widget that holds the others.
    root: String,
    place: &'static Location<'static>,
}

/// Tells the frontend of new widgets, one below the other, with room for what is printed. Those that the same place has
/// made in an earlier run end.
pub(super) fn open(widgets: Vec<Widget>, place: &'static Location<'static>) -> View {
    assert!(
        checkpoint::is_where_cells_run() || !channel::has_front(),
        "`interact` is called by the cell itself, not by a thread that it has started: `display` shows values from there"
    );
    let (number, earlier) = WIDGETS.with_borrow_mut(|it| {
        it.views += 1;
        let same = |open: &Open| open.place == place && open.run != cell::run();
        (it.views, it.open.iter().find_map(|(number, open)| same(open).then_some(*number)))
    });
    earlier.into_iter().for_each(close);
    let mut children = Vec::new();
    for (index, widget) in widgets.into_iter().enumerate() {
        let Widget { name, style, mut state } = widget;
        let style_state = Map::from_iter([("description_width".to_owned(), "initial".into())]);
        state.insert("style".to_owned(), reference(&tell_of_new(number, Role::Part, style, style_state)));
        state.insert("layout".to_owned(), reference(&tell_of_new(number, Role::Part, "Layout", Map::new())));
        children.push(reference(&tell_of_new(number, Role::Control(index), name, state)));
    }
    let layout = reference(&tell_of_new(number, Role::Part, "Layout", Map::new()));
    let state = json!({"msg_id": "", "outputs": [], "layout": layout});
    children.push(reference(&tell_of_new(number, Role::Output, "Output", object(state))));
    let layout = reference(&tell_of_new(number, Role::Part, "Layout", Map::new()));
    let root = tell_of_new(
        number,
        Role::Part,
        "VBox",
        object(json!({"children": children, "box_style": "", "layout": layout})),
    );
    View { number, root, place }
}

impl View {
    /// What a frontend shows the widgets for; without widgets the text.
    pub(super) fn bundle(&self, text: String) -> MimeBundle {
        let view = json!({"version_major": 2, "version_minor": 0, "model_id": self.root});
        MimeBundle::text(text).with(VIEW, view)
    }

    /// From now on the panel gets what the user changes.
    pub(super) fn serve(self, panel: Rc<RefCell<dyn Panel>>) {
        let open = Open { panel, place: self.place, run: cell::run() };
        WIDGETS.with_borrow_mut(|it| it.open.insert(self.number, open));
    }
}

/// Ends a view and what it is for.
fn close(view: u64) {
    let gone = WIDGETS.with_borrow(|it| it.comms_of(view));
    for id in gone {
        tell(&id, CommAction::Close, Map::new());
        WIDGETS.with_borrow_mut(|it| it.twins.remove(&id));
    }
    let open = WIDGETS.with_borrow_mut(|it| it.open.remove(&view));
    // Destructors of what its closure has captured are the user's, and may make widgets.
    drop(open);
}

/// Makes a model and its twin. Gives the name of their comm.
fn tell_of_new(view: u64, role: Role, name: &str, settings: Map<String, Value>) -> String {
    let id = crate::display::new_id();
    let state: Map<String, Value> =
        model_of(name).into_iter().map(|(key, value)| (key.to_owned(), value.into())).chain(settings).collect();
    let data = object(json!({"state": state, "buffer_paths": []}));
    tell(&id, CommAction::Open { target: TARGET.to_owned() }, data);
    WIDGETS.with_borrow_mut(|it| it.twins.insert(id.clone(), Twin { view, role, state }));
    id
}

/// What says which class of the frontend's library a model has. Layouts and styles have no view of use.
fn model_of(name: &str) -> [(&'static str, String); 6] {
    const BASE: (&str, &str) = ("@jupyter-widgets/base", "2.0.0");
    let (module, version) = match name {
        "Layout" => BASE,
        "Output" => ("@jupyter-widgets/output", "1.0.0"),
        _ => ("@jupyter-widgets/controls", "2.0.0"),
    };
    let ((view_module, view_version), view) = match name.ends_with("Style") {
        true => (BASE, "StyleView".to_owned()),
        false => ((module, version), format!("{name}View")),
    };
    [
        ("_model_module", module.to_owned()),
        ("_model_module_version", version.to_owned()),
        ("_model_name", format!("{name}Model")),
        ("_view_module", view_module.to_owned()),
        ("_view_module_version", view_version.to_owned()),
        ("_view_name", view),
    ]
}

/// How a model's state names another model.
fn reference(id: &str) -> Value {
    format!("IPY_MODEL_{id}").into()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn tell(id: &str, action: CommAction, data: Map<String, Value>) {
    channel::send(&FromHost::Comm(comm(id, action, data)));
}

fn comm(id: &str, action: CommAction, data: Map<String, Value>) -> Comm {
    let metadata = match action {
        CommAction::Open { .. } => object(json!({"version": PROTOCOL})),
        CommAction::Message | CommAction::Close => Map::new(),
    };
    Comm { id: id.to_owned(), action, data, metadata }
}

/// What tells a twin of a new state.
fn update(id: &str, state: Value) -> Comm {
    let data = object(json!({"method": "update", "state": state, "buffer_paths": []}));
    comm(id, CommAction::Message, data)
}

/// Acts on what a frontend says.
pub(crate) fn answer(CommRequest { comm, request }: &CommRequest) {
    let Comm { id, action, data, .. } = comm;
    match action {
        CommAction::Open { target } if target == CONTROL_TARGET => {}
        CommAction::Open { .. } => tell(id, CommAction::Close, Map::new()),
        CommAction::Close => {
            WIDGETS.with_borrow_mut(|it| it.twins.remove(id));
        }
        CommAction::Message => match data.get("method").and_then(Value::as_str) {
            Some("request_states") => {
                let states = WIDGETS.with_borrow_mut(|it| {
                    it.last_of_old_page = it.views;
                    it.states()
                });
                tell(id, CommAction::Message, states);
            }
            Some("request_state") => match WIDGETS.with_borrow(|it| it.twins.get(id).map(|twin| twin.state.clone())) {
                Some(state) => channel::send(&FromHost::Comm(update(id, state.into()))),
                None => tell(id, CommAction::Close, Map::new()),
            },
            Some("update") => {
                if let Some(Value::Object(state)) = data.get("state") {
                    changed(id, state, request);
                }
            }
            _ => {}
        },
    }
}

/// What frontends are told behind the answer to a message. As long as they look for what is printed they take all that
/// answers it, also that it has been acted on: then a slider would wait with its next value for ever.
pub(crate) fn last_words() -> Vec<Comm> {
    let output = WIDGETS.with_borrow_mut(|it| it.printing.take());
    output.iter().map(|output| update(output, json!({"msg_id": ""}))).collect()
}

/// Acts on a new state of a twin.
fn changed(id: &str, state: &Map<String, Value>, request: &str) {
    let found = WIDGETS.with_borrow_mut(|it| {
        let twin = it.twins.get_mut(id)?;
        twin.state.extend(state.clone());
        let (view, role) = (twin.view, twin.role);
        let panel = it.open.get(&view).map(|open| Rc::clone(&open.panel));
        Some((role, panel, it.output_of(view), view <= it.last_of_old_page))
    });
    let Some((role, panel, output, on_new_page)) = found else {
        // Of an earlier process, whose closures are gone.
        return tell(id, CommAction::Close, Map::new());
    };
    let (Role::Control(index), Some(panel)) = (role, panel) else { return };
    let mut panel = panel.borrow_mut();
    if !panel.control(index).is_some_and(|control| control.set(state)) {
        return;
    }
    if let Some(output) = output {
        // What is printed from here on is shown there, in place of what was printed before.
        let state = json!({"msg_id": request, "outputs": []});
        channel::send(&FromHost::Comm(update(&output, state)));
        WIDGETS.with_borrow_mut(|it| it.printing = Some(output));
    }
    panel.refresh(on_new_page);
}

impl Widgets {
    /// The comm of the place of a view where the frontend shows what is printed.
    fn output_of(&self, view: u64) -> Option<String> {
        let is_it = |twin: &Twin| twin.view == view && twin.role == Role::Output;
        self.twins.iter().find_map(|(id, twin)| is_it(twin).then(|| id.clone()))
    }

    /// The comms of all that a view consists of.
    fn comms_of(&self, view: u64) -> Vec<String> {
        self.twins.iter().filter(|(_, twin)| twin.view == view).map(|(id, _)| id.clone()).collect()
    }

    /// All models, as a frontend asks for them.
    fn states(&self) -> Map<String, Value> {
        let states: Map<String, Value> = self.twins.iter().map(|(id, twin)| (id.clone(), twin.described())).collect();
        object(json!({"method": "update_states", "states": states, "buffer_paths": []}))
    }
}

impl Twin {
    fn described(&self) -> Value {
        let of = |key: &str| self.state.get(key).cloned().unwrap_or_default();
        json!({
            "model_name": of("_model_name"),
            "model_module": of("_model_module"),
            "model_module_version": of("_model_module_version"),
            "state": self.state,
        })
    }
}

/// How many panels the user sees.
#[cfg(test)]
pub(super) fn count() -> usize {
    WIDGETS.with_borrow(|it| it.open.len())
}
