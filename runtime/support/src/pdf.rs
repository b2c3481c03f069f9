//! A scene as a PDF of one page, for papers: shapes stay shapes, and text stays text that can be searched and copied.
//!
//! Of each font, only the glyphs that are used are in the file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use oxtorch_boundary::drawing::{Ink, Letter, Pixels, Point, Scene, Shape, Stroke, Text};
use pdf_writer::types::{CidFontType, FontFlags, LineJoinStyle, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect as Area, Ref, Str};
use subsetter::GlyphRemapper;
use ttf_parser::{Face, RawFace, Tag};

/// A pixel of a figure is 1/96 inch, a unit of a PDF 1/72.
const UNIT: f32 = 0.75;
const SYSTEM: SystemInfo = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

pub(crate) fn write(scene: &Scene) -> Result<Vec<u8>, String> {
    let (fonts, opacities, pictures) = (Vec::new(), Vec::new(), Vec::new());
    let mut page = Page { content: Content::new(), letter: scene.letter, fonts, opacities, pictures };
    // Figures count y downwards.
    page.content.transform([UNIT, 0.0, 0.0, -UNIT, 0.0, UNIT * scene.height as f32]);
    page.content.set_line_join(LineJoinStyle::RoundJoin);
    page.shapes(&scene.shapes);
    page.finish(scene)
}

struct Page<'a> {
    content: Content,
    letter: fn(char) -> Option<Letter>,
    fonts: Vec<Font>,
    /// In hundredths.
    opacities: Vec<u8>,
    pictures: Vec<&'a Pixels>,
}

struct Font {
    /// The font's file.
    data: &'static [u8],
    glyphs: GlyphRemapper,
    /// What each glyph, by its new number, stands for, and how wide it is.
    meanings: BTreeMap<u16, (char, f32)>,
}

impl<'a> Page<'a> {
    fn shapes(&mut self, shapes: &'a [Shape]) {
        for shape in shapes {
            match shape {
                Shape::Rect { at, ink } => self.area(&at.corners(), *ink),
                Shape::Line { points, stroke } => self.line(points, *stroke),
                Shape::Area { points, ink } => self.area(points, *ink),
                Shape::Dot { at, radius, ink } => self.dot(*at, *radius, *ink),
                Shape::Text(text) => self.text(text),
                Shape::Picture { at, pixels } => {
                    let name = format!("P{}", self.pictures.len());
                    self.pictures.push(pixels);
                    self.content.save_state();
                    self.opacity(1.0);
                    // A picture fills the unit square, upwards.
                    let (width, height) = (at.width() as f32, at.height() as f32);
                    self.content.transform([width, 0.0, 0.0, -height, at.left as f32, at.bottom as f32]);
                    self.content.x_object(Name(name.as_bytes())).restore_state();
                }
                Shape::Clipped { to, shapes } => {
                    self.content.save_state();
                    self.path(&to.corners(), true);
                    self.content.clip_nonzero().end_path();
                    self.shapes(shapes);
                    self.content.restore_state();
                }
            }
        }
    }

    fn path(&mut self, points: &[Point], closed: bool) {
        for (index, (x, y)) in points.iter().enumerate() {
            if index == 0 {
                self.content.move_to(*x as f32, *y as f32);
            } else {
                self.content.line_to(*x as f32, *y as f32);
            }
        }
        if closed && !points.is_empty() {
            self.content.close_path();
        }
    }

    fn area(&mut self, points: &[Point], ink: Ink) {
        self.fill(ink);
        self.path(points, true);
        self.content.fill_nonzero();
    }

    fn line(&mut self, points: &[Point], stroke: Stroke) {
        let [red, green, blue] = stroke.ink.rgb.map(|value| f32::from(value) / 255.0);
        self.opacity(stroke.ink.opacity);
        self.content.set_stroke_rgb(red, green, blue).set_line_width(stroke.width as f32);
        self.content.set_dash_pattern(Stroke::DASHES.into_iter().filter(|_| stroke.dashed), 0.0);
        self.path(points, false);
        self.content.stroke();
    }

    /// Four cubic curves, which are off a circle by less than 0.03 percent.
    fn dot(&mut self, (x, y): Point, radius: f64, ink: Ink) {
        self.fill(ink);
        let (x, y, r) = (x as f32, y as f32, radius as f32);
        let c = 0.551_915 * r;
        self.content
            .move_to(x + r, y)
            .cubic_to(x + r, y + c, x + c, y + r, x, y + r)
            .cubic_to(x - c, y + r, x - r, y + c, x - r, y)
            .cubic_to(x - r, y - c, x - c, y - r, x, y - r)
            .cubic_to(x + c, y - r, x + r, y - c, x + r, y)
            .fill_nonzero();
    }

    fn text(&mut self, text: &Text) {
        self.fill(text.ink);
        let (sin, cos) = text.turn.to_radians().sin_cos();
        let mut along = text.start();
        // Letters of one font that follow each other, and where the first of them stands.
        let mut runs: Vec<(usize, f64, Vec<u8>)> = Vec::new();
        for char in text.text.chars() {
            let Some(letter) = (self.letter)(char) else { continue };
            let number = self.font(letter.font);
            let font = &mut self.fonts[number];
            let code = font.glyphs.remap(letter.glyph);
            font.meanings.entry(code).or_insert((char, (letter.advance * 1000.0) as f32));
            match runs.last_mut() {
                Some((last, _, codes)) if *last == number => codes.extend(code.to_be_bytes()),
                _ => runs.push((number, along, code.to_be_bytes().to_vec())),
            }
            along += text.size * letter.advance;
        }
        self.content.begin_text();
        for (number, along, codes) in runs {
            let (x, y) = (text.at.0 + along * cos, text.at.1 + along * sin);
            let (sin, cos) = (sin as f32, cos as f32);
            self.content
                .set_font(Name(format!("F{number}").as_bytes()), text.size as f32)
                // Letters stand on their feet though the page is upside down.
                .set_text_matrix([cos, sin, sin, -cos, x as f32, y as f32])
                .show(Str(&codes));
        }
        self.content.end_text();
    }

    fn fill(&mut self, ink: Ink) {
        let [red, green, blue] = ink.rgb.map(|value| f32::from(value) / 255.0);
        self.opacity(ink.opacity);
        self.content.set_fill_rgb(red, green, blue);
    }

    fn opacity(&mut self, opacity: f64) {
        let hundredths = (opacity.clamp(0.0, 1.0) * 100.0).round() as u8;
        if !self.opacities.contains(&hundredths) {
            self.opacities.push(hundredths);
        }
        self.content.set_parameters(Name(format!("O{hundredths}").as_bytes()));
    }

    fn font(&mut self, data: &'static [u8]) -> usize {
        self.fonts.iter().position(|font| std::ptr::eq(font.data, data)).unwrap_or_else(|| {
            self.fonts.push(Font { data, glyphs: GlyphRemapper::new(), meanings: BTreeMap::new() });
            self.fonts.len() - 1
        })
    }

    fn finish(self, scene: &Scene) -> Result<Vec<u8>, String> {
        let mut pdf = Pdf::new();
        let mut last = 0;
        let mut next = || {
            last += 1;
            Ref::new(last)
        };
        let (catalog, tree, leaf, contents) = (next(), next(), next(), next());
        let mut named = |prefix: &str, numbers: Vec<usize>| -> Vec<(String, Ref)> {
            numbers.into_iter().map(|number| (format!("{prefix}{number}"), next())).collect()
        };
        let fonts = named("F", (0..self.fonts.len()).collect());
        let pictures = named("P", (0..self.pictures.len()).collect());
        let opacities = named("O", self.opacities.iter().map(|hundredths| usize::from(*hundredths)).collect());

        pdf.catalog(catalog).pages(tree);
        pdf.pages(tree).kids([leaf]).count(1);
        let mut page = pdf.page(leaf);
        page.media_box(Area::new(0.0, 0.0, UNIT * scene.width as f32, UNIT * scene.height as f32));
        page.parent(tree).contents(contents);
        let mut resources = page.resources();
        fn pairs(named: &[(String, Ref)]) -> impl Iterator<Item = (Name<'_>, Ref)> {
            named.iter().map(|(name, id)| (Name(name.as_bytes()), *id))
        }
        resources.fonts().pairs(pairs(&fonts));
        resources.x_objects().pairs(pairs(&pictures));
        resources.ext_g_states().pairs(pairs(&opacities));
        resources.finish();
        page.finish();

        for (hundredths, (_, state)) in self.opacities.iter().zip(opacities) {
            let opacity = f32::from(*hundredths) / 100.0;
            pdf.ext_graphics(state).stroking_alpha(opacity).non_stroking_alpha(opacity);
        }
        for (picture, (_, id)) in self.pictures.iter().zip(pictures) {
            let mask = next();
            write_picture(&mut pdf, picture, id, mask)?;
        }
        for (font, (_, id)) in self.fonts.iter().zip(fonts) {
            write_font(&mut pdf, font, [id, next(), next(), next(), next()])?;
        }
        let content = packed(&self.content.finish())?;
        pdf.stream(contents, &content).filter(Filter::FlateDecode);
        Ok(pdf.finish())
    }
}

fn write_picture(pdf: &mut Pdf, picture: &Pixels, id: Ref, mask: Ref) -> Result<(), String> {
    let colors: Vec<u8> = picture.rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    let opacities: Vec<u8> = picture.rgba.iter().skip(3).step_by(4).copied().collect();
    for (id, samples, is_mask) in [(id, colors, false), (mask, opacities, true)] {
        let samples = packed(&samples)?;
        let mut image = pdf.image_xobject(id, &samples);
        image.filter(Filter::FlateDecode);
        image.width(picture.width as i32).height(picture.height as i32).bits_per_component(8);
        if is_mask {
            image.color_space().device_gray();
        } else {
            image.s_mask(mask).color_space().device_rgb();
        }
    }
    Ok(())
}

fn write_font(pdf: &mut Pdf, font: &Font, ids: [Ref; 5]) -> Result<(), String> {
    let [id, descendant, descriptor, file, meanings] = ids;
    let failed = |error: &dyn Display| {
        format!("a font of this machine cannot be put into a PDF ({error}); save it as .svg or .png")
    };
    let face = Face::parse(font.data, 0).map_err(|error| failed(&error))?;
    let subset = subsetter::subset(font.data, 0, &font.glyphs).map_err(|error| failed(&error))?;
    let name = format!("OXPLOT+Font{}", id.get());
    let name = Name(name.as_bytes());
    // Outlines of the other kind (CFF) are a table of their own, which is what PDF asks for.
    let cff = RawFace::parse(&subset, 0).ok().and_then(|face| face.table(Tag::from_bytes(b"CFF ")));
    let kind = if cff.is_some() { CidFontType::Type0 } else { CidFontType::Type2 };

    let mut whole = pdf.type0_font(id);
    whole.base_font(name).encoding_predefined(Name(b"Identity-H")).descendant_font(descendant).to_unicode(meanings);
    whole.finish();

    let mut cid = pdf.cid_font(descendant);
    cid.subtype(kind).base_font(name).system_info(SYSTEM).font_descriptor(descriptor).default_width(0.0);
    if cff.is_none() {
        cid.cid_to_gid_map_predefined(Name(b"Identity"));
    }
    let mut widths = cid.widths();
    for (code, (_, width)) in &font.meanings {
        widths.same(*code, *code, *width);
    }
    widths.finish();
    cid.finish();

    let thousandths = |value: i16| f32::from(value) * 1000.0 / f32::from(face.units_per_em());
    let bounds = face.global_bounding_box();
    let (left, bottom) = (thousandths(bounds.x_min), thousandths(bounds.y_min));
    let (right, top) = (thousandths(bounds.x_max), thousandths(bounds.y_max));
    let mut described = pdf.font_descriptor(descriptor);
    described.name(name).flags(FontFlags::SYMBOLIC).bbox(Area::new(left, bottom, right, top)).italic_angle(0.0);
    described.ascent(thousandths(face.ascender())).descent(thousandths(face.descender()));
    described.cap_height(thousandths(face.capital_height().unwrap_or(face.ascender()))).stem_v(80.0);
    match cff {
        Some(_) => described.font_file3(file),
        None => described.font_file2(file),
    };
    described.finish();

    let data = packed(cff.unwrap_or(&subset))?;
    let mut stream = pdf.stream(file, &data);
    stream.filter(Filter::FlateDecode);
    if cff.is_some() {
        stream.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
    }
    stream.finish();

    let mut map = UnicodeCmap::new(Name(b"Meanings"), SYSTEM);
    for (code, (char, _)) in &font.meanings {
        map.pair(*code, *char);
    }
    pdf.cmap(meanings, &packed(&map.finish())?).filter(Filter::FlateDecode);
    Ok(())
}

fn packed(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(data).and_then(|()| encoder.finish());
    written.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;
    use oxtorch_boundary::drawing::Rect;

    /// The streams of a PDF, unpacked.
    fn streams(pdf: &[u8]) -> Vec<Vec<u8>> {
        let find =
            |from: usize, word: &[u8]| pdf[from..].windows(word.len()).position(|at| at == word).map(|at| from + at);
        let mut streams = Vec::new();
        let mut from = 0;
        while let Some(start) = find(from, b"stream\n") {
            let start = start + 7;
            let end = find(start, b"\nendstream").expect("streams end");
            let mut data = Vec::new();
            ZlibDecoder::new(&pdf[start..end]).read_to_end(&mut data).expect("packed");
            streams.push(data);
            from = end + 10;
        }
        streams
    }

    #[test]
    fn shapes_are_drawn_as_such() {
        let at = Rect::new(1.0, 2.0, 3.0, 4.0);
        let ink = Ink::new(255, 0, 0).mix(0.5);
        let shapes = vec![
            Shape::Rect { at, ink },
            Shape::Dot { at: (5.0, 5.0), radius: 1.0, ink },
            Shape::Line { points: vec![(1.0, 1.0), (9.0, 9.0)], stroke: Stroke::dashed(ink, 1.0) },
            Shape::Picture { at, pixels: Pixels { width: 2, height: 2, rgba: vec![0; 16] }.into() },
            Shape::Clipped { to: at, shapes: Vec::new() },
        ];
        let pdf = write(&Scene { width: 10, height: 10, shapes, letter: |_| None }).expect("a PDF");
        let all = streams(&pdf);
        let drawn = String::from_utf8_lossy(all.last().expect("the page comes last")).into_owned();
        for operator in ["0.75 0 0 -0.75 0 7.5 cm", "1 2 m\n3 2 l\n3 4 l\n1 4 l\nh\nf", "/O50 gs", "/P0 Do", "W\nn"] {
            assert!(drawn.contains(operator), "{operator} in {drawn}");
        }
    }
}
