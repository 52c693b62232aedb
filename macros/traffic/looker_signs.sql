{# The signs of automation and of people, by column name, with what is said of them. One list for the features, the
   fit and the words of the reason. Each is a number from 0 (no sign) to 1 (a clear one). #}
{% macro looker_signs() -%}
    {{ return({
        'declared_sign': 'its user agent is a program\'s or empty',
        'false_crawler_sign': 'it claims to be a crawler outside that crawler\'s networks',
        'no_scripts_sign': 'it runs no scripts',
        'no_assets_sign': 'it loads no images or styles',
        'no_cookies_sign': 'it keeps no cookies',
        'regular_pace_sign': 'its requests come at an even pace',
        'fast_pace_sign': 'it is faster than people read',
        'night_sign': 'it works through the night',
        'no_person_steps_sign': 'it never searches, logs in or fills a cart',
        'no_referrer_sign': 'it follows no links',
        'robots_txt_sign': 'it reads robots.txt',
        'interface_sign': 'it calls interfaces without pages',
        'many_user_agents_sign': 'it changes its user agent',
        'neighbours_sign': 'its neighbours behave the same',
    }) }}
{%- endmacro %}
