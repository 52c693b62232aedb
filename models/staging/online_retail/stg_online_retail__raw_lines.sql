{{ require_currency('online_retail', 'GBP') }}
{{ raw_file_rows('online_retail', config.meta_require('columns')) }}
