//! The form by which a reader chooses what the page shows. The script brings it to life; without one it stays hidden.

use std::fmt::Write;

use super::html::escape;
use crate::report::spell::metric_name;
use crate::sweep::Study;

/// The form, with a field for each thing of which there are several; empty where there is nothing to choose.
pub fn form(study: &Study) -> String {
    let mut fields = String::new();
    if study.rows.len() > 1 {
        let names: String = study.rows.iter().map(|row| format!("<option value=\"{}\"></option>", escape(&row.name))).collect();
        fields += "<label>Row <input type=\"search\" name=\"row\" list=\"row-names\" placeholder=\"part of a name\" autocomplete=\"off\"></label>\n";
        let _ = writeln!(fields, "<datalist id=\"row-names\">{names}</datalist>");
    }
    let pairs = |names: &[String], spell: &dyn Fn(&str) -> String| -> Vec<(String, String)> {
        names.iter().map(|name| (name.clone(), spell(name))).collect()
    };
    fields += &choice("Category", "category", &pairs(&study.categories, &|name| study.label(name).to_owned()));
    fields += &choice("Metric", "metric", &pairs(&study.metrics, &|name| metric_name(study, name)));
    if fields.is_empty() {
        return fields;
    }
    format!(
        "<form id=\"filter\" role=\"search\" aria-label=\"What is shown\" hidden>\n{fields}\
         <button type=\"reset\">Show all</button>\n<output aria-live=\"polite\"></output>\n</form>\n"
    )
}

fn choice(label: &str, name: &str, values: &[(String, String)]) -> String {
    if values.len() < 2 {
        return String::new();
    }
    let option = |(value, text): &(String, String)| format!("<option value=\"{}\">{}</option>", escape(value), escape(text));
    let options: String = values.iter().map(option).collect();
    format!("<label>{label} <select name=\"{name}\"><option value=\"\">all</option>{options}</select></label>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::example;

    #[test]
    fn there_is_a_field_for_each_thing_of_which_there_are_several() {
        let mut study = example::ladder();
        let form_of = |study: &Study| form(study);
        assert!(form_of(&study).contains("<option value=\"image_auroc\">image AUROC</option>"));
        study.metrics.truncate(1);
        study.categories.truncate(1);
        let one = form_of(&study);
        assert!(one.contains("name=\"row\"") && !one.contains("<select"), "{one}");
        study.rows.truncate(1);
        assert_eq!(form_of(&study), "");
    }
}
